-- Selects the values of the last stored month from which the first month of this load continues.
-- grain: one row per customer (customer_key)
-- parameters: before (month end before the first month of this load)
-- placeholders: codes (class numbers of the previous month, one per scheme)
-- columns: amounts with the suffix _12m are sums over twelve months in CNY
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
where as_of = $before
