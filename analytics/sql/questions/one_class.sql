-- Whether every customer of a month end stands there once, with one class of the scheme.
-- grain: one row
select
    count(distinct customer_key) as customers,
    count(distinct customer_key) filter (where {scheme} is not null) as graded,
    count(*) as lines,
from customer_month
where as_of = :as_of
