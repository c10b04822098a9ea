-- Stores the places that a check of the books found, the first ones by day.
-- grain: one row per place
-- parameters: code (of the finding); table (whose rows contradict themselves); most (most places stored);
--   delivery (number of the load)
insert into part.history.finding by name
select
    $code as code,
    $table as table_name,
    id,
    day,
    value,
    amount::decimal(18, 2) as amount,
    $delivery::smallint as delivery,
from book_finding
order by day, id, value
limit $most
