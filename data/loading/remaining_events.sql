-- Copies the delivered rows that the typed path did not load.
-- grain: one row per delivered row that does not meet the condition, in the table remaining_<table>
-- placeholders: table (name of the table); staged (delivered rows); joins (to the keys that the row refers to);
--   is_valid (condition of the typed path)
create or replace table remaining_{table} as
select staged.*
from {staged} as staged
{joins}
where ({is_valid}) is not true
