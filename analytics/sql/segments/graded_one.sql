-- One customer's class by one scheme at a month end.
-- grain: customer_key
select
    month.customer_key,
    month.{scheme}::varchar as class,
    month.loan_balance::double as loan_balance,
from customer_month as month
where month.as_of = :as_of and month.customer_key = :key
