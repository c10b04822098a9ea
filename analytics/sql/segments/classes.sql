-- Selects the class of each customer at a month end by every scheme.
-- grain: one row per customer of the month end (customer_key)
-- parameters: as_of (month end)
-- placeholders: schemes (columns of customer_month, separated by commas)
-- columns: loan_balance in CNY
select
    customer_key,
    loan_balance::double as loan_balance,
    {schemes}
from customer_month
where as_of = $as_of
order by customer_key
