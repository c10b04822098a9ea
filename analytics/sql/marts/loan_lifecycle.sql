-- Creates loan_life: every loan ever delivered, as last known, for questions about the whole life of loans.
-- grain: one row per loan (loan_key)
-- columns: principal in CNY; closed_on is the day of the settlement, delivered or derived; days_late_at_close is
--   closed_on less maturity (the last due day of the schedule where no maturity is delivered), negative for an early
--   settlement, null for a loan that is not closed; has_borrowed_before is true where the customer has a loan of an
--   earlier day, or another one that was lent and settled on the day of this one
-- derived_settlement is registered by the build: loan_key and settled_on of the settlements derived in earlier loads.
-- Those of this load are added month by month (settlement_changes.sql).
create or replace table part.current.loan_life as
with

-- Few loans are delivered again after the first delivery.
redelivery as (
    select loan_key, max(delivery) as delivery,
    from loan
    where delivery > (select min(delivery) from loan)
    group by loan_key
),

life as (
    select loan.* replace (coalesce(loan.closed_on, derived.settled_on) as closed_on),
    from loan
    left join redelivery on redelivery.loan_key = loan.loan_key
    left join derived_settlement as derived on derived.loan_key = loan.loan_key
    where coalesce(redelivery.delivery = loan.delivery, true)
),

last_instalment as (
    select loan_key, max(due_on) as due_on,
    from instalment
    where
        loan_key in (select life.loan_key from life where life.closed_on is not null and life.matures_on is null)
        and principal + coalesce(interest, 0) > 0
    group by loan_key
)

select
    life.loan_key,
    life.customer_key,
    life.product_key,
    life.branch_key,
    life.manager_key,
    life.channel,
    life.guarantee,
    life.principal,
    life.disbursed_on,
    life.matures_on,
    life.closed_on,
    life.written_off_on,
    life.sold_on,
    life.rollover_of_key,
    life.outcome,
    life.status_code,
    life.closed_on - coalesce(life.matures_on, last_instalment.due_on) as days_late_at_close,
    rank() over (partition by life.customer_key order by life.disbursed_on) > 1
    or (
        coalesce(life.closed_on > life.disbursed_on, true)
        and coalesce(min(life.closed_on) over (partition by life.customer_key) <= life.disbursed_on, false)
    ) as has_borrowed_before,
from life
left join last_instalment on last_instalment.loan_key = life.loan_key
