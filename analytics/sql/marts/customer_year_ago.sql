-- The flows that a twelve-month sum leaves behind.
-- grain: customer_key
select customer_key, interest, fees, margin, funding_cost, expected_loss, operating_cost,
from customer_month
where as_of = :year_before
