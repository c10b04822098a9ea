-- Computes the overdue rate 30+ by balance straight from loans, schedule and payments, without the marts.
-- grain: one row
-- parameters: as_of (month end)
-- columns: numerator and denominator in CNY; n counts the loans with a balance
-- It answers the same question as `ask overdue_rate_30`; the benchmark times the two side by side.
with

versions as (
    select *, row_number() over (partition by loan_key order by delivery desc) as newest, from loan
),

open_loan as (
    select loan_key, principal,
    from versions
    where
        newest = 1
        and disbursed_on <= $as_of
        and coalesce(least(closed_on, sold_on, written_off_on) > $as_of, true)
),

paid as (
    select
        loan_key,
        coalesce(sum(amount) filter (where kind is distinct from 'prepayment'), 0) as paid,
        coalesce(sum(amount) filter (where kind = 'prepayment'), 0) as prepaid,
    from payment
    where paid_on <= $as_of
    group by loan_key
),

due as (
    select
        loan_key,
        due_on,
        principal,
        coalesce(interest, 0) as interest,
        sum(principal + coalesce(interest, 0)) over schedule as due_total,
        sum(principal) over schedule as principal_total,
    from instalment
    where due_on <= $as_of
    window schedule as (partition by loan_key order by due_on, number)
),

allocated as (
    select
        due.loan_key,
        min(due.due_on) filter (where due.due_total > coalesce(paid.paid, 0)) as oldest_due_on,
        -- Principal of the instalments paid in full, plus what is left of the first open one after its interest.
        coalesce(max(due.principal_total) filter (where due.due_total <= coalesce(paid.paid, 0)), 0) + coalesce(
            max(
                greatest(coalesce(paid.paid, 0) - (due.due_total - due.principal - due.interest) - due.interest, 0)
            ) filter (
                where
                due.due_total > coalesce(paid.paid, 0)
                and due.due_total - due.principal - due.interest <= coalesce(paid.paid, 0)
            ),
            0
        ) as principal_paid,
    from due
    left join paid on paid.loan_key = due.loan_key
    group by due.loan_key
),

state as (
    select
        greatest(
            open_loan.principal - coalesce(paid.prepaid, 0) - coalesce(allocated.principal_paid, 0), 0
        ) as balance,
        coalesce(cast($as_of as date) - allocated.oldest_due_on, 0) as days_past_due,
    from open_loan
    left join paid on paid.loan_key = open_loan.loan_key
    left join allocated on allocated.loan_key = open_loan.loan_key
)

select
    cast(sum(balance) filter (where days_past_due > 30) as double) as numerator,
    cast(sum(balance) as double) as denominator,
    count(*) filter (where balance > 0) as n,
from state
