-- Selects one customer of each class of a scheme, as an example to open.
-- grain: one row per class (class)
-- parameters: as_of (month end)
-- placeholders: scheme (column of customer_month)
-- columns: customer_id of the customer with the highest loan balance in the class
select
    cast(month.{scheme} as varchar) as class,
    arg_max(customer_number.customer_id, (month.loan_balance, month.customer_key)) as customer_id,
from customer_month as month
join customer_number on customer_number.customer_key = month.customer_key
where month.as_of = $as_of
group by month.{scheme}
order by min(month.{scheme})
