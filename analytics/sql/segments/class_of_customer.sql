-- Selects the class of one customer by one scheme at a month end.
-- grain: at most one row, of the customer asked for (customer_key)
-- parameters: as_of (month end); key (customer_key)
-- placeholders: scheme (column of customer_month)
-- columns: loan_balance in CNY
select
    month.customer_key,
    month.{scheme}::varchar as class,
    month.loan_balance::double as loan_balance,
from customer_month as month
where month.as_of = $as_of and month.customer_key = $key
