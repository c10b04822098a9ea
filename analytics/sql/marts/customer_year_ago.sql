-- Selects the flows of the month that drops out of the twelve-month sums.
-- grain: one row per customer (customer_key)
-- parameters: year_before (month end twelve months before the month in progress)
-- columns: amounts of that month in CNY
select customer_key, interest, fees, margin, funding_cost, expected_loss, operating_cost,
from customer_month
where as_of = $year_before
