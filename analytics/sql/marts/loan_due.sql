-- Loans with a row this month: what fell due and what came, added to the totals of the month before.
-- grain: loan_key
-- A loan stays while it has not ended, in the month in which it ends, and until its first payment has been judged.
create or replace temp table loan_due as
with

fallen_due as (
    select
        loan_key,
        (sum(principal) + coalesce(sum(interest), 0))::decimal(15, 2) as amount,
        sum(principal)::decimal(15, 2) as principal,
        min(due_on) filter (where number = 1) as first_due_on,
        min(due_on) as earliest_due_on,
    from due_now
    group by loan_key
),

came as (
    select
        loan_key,
        coalesce(sum(amount) filter (where kind is distinct from 'prepayment'), 0)::decimal(15, 2) as paid,
        coalesce(sum(amount) filter (where kind = 'prepayment'), 0)::decimal(15, 2) as prepaid,
    from part.kept.payment
    where paid_on > :since and paid_on <= :as_of
    group by loan_key
)

select
    loan.* exclude (closed_on, ended_on, written_off_on, restructured_on),
    case when loan.closed_on <= :as_of then loan.closed_on end as closed_on,
    case when loan.ended_on <= :as_of then loan.ended_on end as ended_on,
    case when loan.written_off_on <= :as_of then loan.written_off_on end as written_off_on,
    case when loan.restructured_on <= :as_of then loan.restructured_on end as restructured_on,
    coalesce(before.first_due_on, fallen_due.first_due_on) as first_due_on,
    coalesce(before.due_total, 0)::decimal(15, 2) as due_total_before,
    coalesce(before.due_principal_total, 0)::decimal(15, 2) as due_principal_total_before,
    (coalesce(before.due_total, 0) + coalesce(fallen_due.amount, 0))::decimal(15, 2) as due_total,
    (coalesce(before.due_principal_total, 0) + coalesce(fallen_due.principal, 0))::decimal(15, 2) as due_principal_total,
    (coalesce(before.paid_total, 0) + coalesce(came.paid, 0))::decimal(15, 2) as paid_total,
    (coalesce(before.prepaid_total, 0) + coalesce(came.prepaid, 0))::decimal(15, 2) as prepaid_total,
    coalesce(before.interest_total, 0)::decimal(15, 2) as interest_total_before,
    before.balance as balance_before,
    before.loan_key is not null as is_known,
    before.closed_on as closed_on_before,
    before.is_first_payment_missed as is_first_payment_missed_before,
    before.balance_written_off as balance_written_off_before,
    before.oldest_due_on as oldest_due_on_before,
    before.count_instalments_late as count_instalments_late_before,
    -- Written off the month before or earlier, and nothing came since: it rests as it was.
    before.written_off_on is not null and came.loan_key is null as is_resting,
    -- A reversal, an instalment handed over late, or money for a loan at rest may change what the month before held as paid.
    before.loan_key is not null and (
        coalesce(came.paid, 0) < 0
        or coalesce(fallen_due.earliest_due_on <= :previous, false)
        or (before.written_off_on is not null and came.loan_key is not null)
    ) as is_recounted,
from loan_now as loan
left join loan_month as before on before.loan_key = loan.loan_key and before.as_of = :previous
left join fallen_due on fallen_due.loan_key = loan.loan_key
left join came on came.loan_key = loan.loan_key
where
    loan.disbursed_on <= :as_of
    and (
        loan.ended_on is null
        or loan.ended_on > :previous
        or (before.loan_key is not null and before.ended_on is null)
        or coalesce(before.first_due_on, fallen_due.first_due_on) + 30 > :judged_after
    )
