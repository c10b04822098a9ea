-- Lists the keys that occur more than once.
-- grain: one row per repeated key, in the table duplicate_<table>
-- placeholders: table (name of the contract's table); target (table that holds the rows); key (columns of the key);
--   content (all columns of a row)
-- columns: rows (how many); versions (how many differ from each other)
create or replace table duplicate_{table} as
select
    {key},
    count(*) as rows,
    count(distinct hash({content})) as versions
from {target}
group by {key}
having count(*) > 1
