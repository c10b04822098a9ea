-- Assigns keys to the customers or loans that no older part has, in the order of delivery.
-- grain: one row per new customer or loan, in history.<table>_number
-- placeholders: table (customer or loan); identifiers (select list of the columns beside the key);
--   valid_rows (table of valid rows); is_new (condition: no older part has the identifier);
--   last_keys (relation with the largest key of each older part, in the column last)
insert into part.history.{table}_number by name
with fresh as (
    select
        {identifiers},
        min(file) as file,
        min(line) as line
    from {valid_rows} as valid
    where {is_new}
    group by v_{table}_id
)

select
    ((select coalesce(max(last), 0) from {last_keys}) + row_number() over (order by file, line))::integer
        as {table}_key,
    * exclude (file, line)
from fresh
order by {table}_key
