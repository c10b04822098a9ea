-- One customer of each class of a scheme, for a reader who has no number at hand.
-- grain: class
select
    cast(month.{scheme} as varchar) as class,
    arg_max(customer_number.customer_id, (month.loan_balance, month.customer_key)) as customer_id,
from customer_month as month
join customer_number on customer_number.customer_key = month.customer_key
where month.as_of = :as_of
group by month.{scheme}
order by min(month.{scheme})
