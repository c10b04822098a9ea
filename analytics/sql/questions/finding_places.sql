-- Lists the places of one finding of the book check, earliest first.
-- grain: one row per place
-- parameters: delivery (its number); table (table of the finding); code (of the finding)
-- columns: id is the number of a loan or customer; value is what stands there; amount in CNY
select
    id,
    day,
    value,
    amount,
from finding
where delivery = $delivery and table_name = $table and code = $code
order by day, id, value
