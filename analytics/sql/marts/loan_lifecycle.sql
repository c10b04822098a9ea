-- Creates loan_life: every loan ever delivered, as last known, for questions about the whole life of loans.
-- grain: one row per loan (loan_key)
-- columns: principal in CNY; days_late_at_close is closed_on less maturity, negative for an early settlement, null
--   for a loan that is not closed; has_borrowed_before is true for every loan of a customer after the first
create or replace table part.current.loan_life as
with

-- Few loans are delivered again after the first delivery.
redelivery as (
    select loan_key, max(delivery) as delivery,
    from loan
    where delivery > (select min(delivery) from loan)
    group by loan_key
)

select
    loan.loan_key,
    loan.customer_key,
    loan.product_key,
    loan.branch_key,
    loan.manager_key,
    loan.channel,
    loan.guarantee,
    loan.principal,
    loan.disbursed_on,
    loan.matures_on,
    loan.closed_on,
    loan.written_off_on,
    loan.sold_on,
    loan.rollover_of_key,
    loan.outcome,
    loan.status_code,
    loan.closed_on - loan.matures_on as days_late_at_close,
    -- Another loan of the customer on the same day counts as well, because only the day is known.
    count(*) over (partition by loan.customer_key order by loan.disbursed_on) > 1 as has_borrowed_before,
from loan
left join redelivery on redelivery.loan_key = loan.loan_key
where coalesce(redelivery.delivery = loan.delivery, true)
