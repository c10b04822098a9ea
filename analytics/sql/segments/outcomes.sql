-- What became of the customers of a month end in the twelve months after it.
-- grain: customer_key
with

later as (
    select
        customer_key,
        max(case when days_past_due > :overdue then 1 else 0 end) as overdue,
    from customer_month
    where as_of > :as_of and as_of <= :year_after and has_loan
    group by customer_key
),

-- Only settlements whose ninety days are over.
ended as (
    select customer_key, max(case when next_disbursed_on <= settled_on + 90 then 1 else 0 end) as reloan,
    from settlement
    where settled_on > :as_of and settled_on + 90 <= :year_after
    group by customer_key
)

select
    customer.customer_key,
    case when coalesce(customer.days_past_due, 0) <= :overdue then later.overdue end as overdue,
    ended.reloan,
    after.contribution_net_12m::double as contribution,
    customer.loan_balance::double as loan_balance,
from customer_month as customer
left join later on later.customer_key = customer.customer_key
left join ended on ended.customer_key = customer.customer_key
left join customer_month as after on after.customer_key = customer.customer_key and after.as_of = :year_after
where customer.as_of = :as_of
order by customer.customer_key
