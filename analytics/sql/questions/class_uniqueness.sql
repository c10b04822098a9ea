-- Counts customers, graded customers and rows of a month end, to check that each customer has one row and one class.
-- grain: one row
-- parameters: as_of (month end)
-- placeholders: scheme (column of customer_month)
select
    count(distinct customer_key) as customers,
    count(distinct customer_key) filter (where {scheme} is not null) as graded,
    count(*) as lines,
from customer_month
where as_of = $as_of
