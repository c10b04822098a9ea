-- What the rows of the month before a load hand on to it.
-- grain: customer_key
select
    customer_key,
    first_loan_on,
    loans_ever,
    loans_settled,
    interest_12m,
    fees_12m,
    margin_12m,
    funding_cost_12m,
    expected_loss_12m,
    operating_cost_12m,
    {codes},
from customer_month
where as_of = :before
