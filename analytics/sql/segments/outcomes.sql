-- Selects what happened to the customers of a month end in the twelve months after it.
-- grain: one row per customer of the month end (customer_key)
-- parameters: as_of (month end); year_after (month end twelve months later); overdue (threshold in days past due)
-- columns: overdue is 1 for a customer above the threshold at a later month end, null without a later balance or when
--   already above it; reloan is 1 for a new loan within 90 days of a settlement, null where no settlement is 90 days
--   old; contribution is the net contribution of the twelve months in CNY, null without a row at year_after;
--   loan_balance at as_of in CNY
with

later as (
    select
        customer_key,
        max(case when days_past_due > $overdue then 1 else 0 end) as overdue,
    from customer_month
    where as_of > $as_of and as_of <= $year_after and has_loan
    group by customer_key
),

-- Only settlements of which the 90 days are over.
ended as (
    select customer_key, max(case when next_disbursed_on <= settled_on + 90 then 1 else 0 end) as reloan,
    from settlement
    where settled_on > $as_of and settled_on + 90 <= $year_after
    group by customer_key
)

select
    customer.customer_key,
    case when coalesce(customer.days_past_due, 0) <= $overdue then later.overdue end as overdue,
    ended.reloan,
    after.contribution_net_12m::double as contribution,
    customer.loan_balance::double as loan_balance,
from customer_month as customer
left join later on later.customer_key = customer.customer_key
left join ended on ended.customer_key = customer.customer_key
left join customer_month as after on after.customer_key = customer.customer_key and after.as_of = $year_after
where customer.as_of = $as_of
order by customer.customer_key
