-- Fills history.<table> with the delivered rows that need no cleaning.
-- grain: one row per delivered row that meets the condition
-- placeholders: table (name of the table); stored (select list of the stored columns); staged (delivered rows);
--   joins (to the keys that the row refers to); is_valid (condition); order_by (clause, or nothing)
insert into part.history.{table} by name
select {stored}
from {staged} as staged
{joins}
where {is_valid}
{order_by}
