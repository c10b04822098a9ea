-- Finds the day on which the schedule of each loan was paid in full.
-- grain: one row per loan of loan_selection that is paid in full at the month end (loan_key)
-- parameters: as_of (month end)
-- columns: settled_on is the first day from which on everything due by then was paid and no principal was left, and
--   from which on it stayed so: a reversal counts where the rest no longer covers what was due on that day
-- loan_selection is registered by the build: loan_key and principal of the loans to examine. Instalments that a
-- prepayment of the whole principal leaves over are no longer owed; without a prepayment all must have fallen due.
with

payment_day as (
    select
        loan_key,
        paid_on as on_day,
        coalesce(sum(amount) filter (where kind is distinct from 'prepayment'), 0) as paid,
        coalesce(sum(amount) filter (where kind = 'prepayment'), 0) as prepaid,
    from payment
    where paid_on <= $as_of and loan_key in (select loan_key from loan_selection)
    group by loan_key, paid_on
),

due_day as (
    select
        loan_key,
        due_on as on_day,
        sum(principal + coalesce(interest, 0)) as due,
        sum(principal) as due_principal,
    from instalment
    where loan_key in (select loan_key from loan_selection)
    group by loan_key, due_on
),

schedule as (
    select loan_key, sum(due) as total from due_day group by loan_key
),

event_day as (
    select
        loan_key,
        on_day,
        coalesce(sum(paid), 0) as paid,
        coalesce(sum(prepaid), 0) as prepaid,
        coalesce(sum(due), 0) as due,
        coalesce(sum(due_principal), 0) as due_principal,
    from (
        select * from payment_day
        union all by name
        select * from due_day where on_day <= $as_of
    )
    group by loan_key, on_day
),

running as (
    select
        loan_key,
        on_day,
        sum(paid) over until_day as paid,
        sum(prepaid) over until_day as prepaid,
        sum(due) over until_day as due,
        sum(due_principal) over until_day as due_principal,
    from event_day
    window until_day as (partition by loan_key order by on_day)
),

lasting as (
    select
        *,
        min(paid) over from_day as least_paid,
        min(prepaid) over from_day as least_prepaid,
    from running
    window from_day as (
        partition by loan_key order by on_day rows between current row and unbounded following
    )
)

select
    lasting.loan_key,
    min(lasting.on_day) as settled_on,
from lasting
join loan_selection as loan on loan.loan_key = lasting.loan_key
left join schedule on schedule.loan_key = lasting.loan_key
where
    lasting.least_paid >= lasting.due
    and lasting.least_prepaid + lasting.due_principal >= loan.principal
    and (lasting.prepaid > 0 or coalesce(schedule.total, 0) = lasting.due)
group by lasting.loan_key
