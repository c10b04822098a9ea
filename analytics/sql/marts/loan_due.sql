-- Loans of the month: what fell due and what came, added to the totals of the month before.
-- grain: loan_key
-- A loan has a row while it has not ended, in the month in which it ends, and until its first payment has been judged; one
-- that ended before its first instalment fell due waits for it without a row.
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
),

running as (
    select {carried} from {before}
    union all
    select {carried} from loan_coming where disbursed_on > :previous and disbursed_on <= :as_of
),

moved as (
    select
        loan.* exclude (
            has_row, closed_on, ended_on, written_off_on, first_due_on, due_total, due_principal_total, paid_total,
            prepaid_total, interest_total, balance, balance_written_off, oldest_due_on, count_instalments_late,
            is_first_payment_missed
        ),
        coalesce(loan.has_row, false) as is_known,
        loan.closed_on as closed_on_before,
        loan.ended_on as ended_on_before,
        case when loan.closes_on <= :as_of then loan.closes_on end as closed_on,
        case when loan.ends_on <= :as_of then loan.ends_on end as ended_on,
        case when loan.writes_off_on <= :as_of then loan.writes_off_on end as written_off_on,
        case when loan.restructures_on <= :as_of then loan.restructures_on end as restructured_on,
        coalesce(loan.first_due_on, fallen_due.first_due_on) as first_due_on,
        coalesce(loan.due_total, 0)::decimal(15, 2) as due_total_before,
        coalesce(loan.due_principal_total, 0)::decimal(15, 2) as due_principal_total_before,
        (coalesce(loan.due_total, 0) + coalesce(fallen_due.amount, 0))::decimal(15, 2) as due_total,
        (coalesce(loan.due_principal_total, 0) + coalesce(fallen_due.principal, 0))::decimal(15, 2)
            as due_principal_total,
        (coalesce(loan.paid_total, 0) + coalesce(came.paid, 0))::decimal(15, 2) as paid_total,
        (coalesce(loan.prepaid_total, 0) + coalesce(came.prepaid, 0))::decimal(15, 2) as prepaid_total,
        coalesce(loan.interest_total, 0)::decimal(15, 2) as interest_total_before,
        case when loan.has_row then loan.balance end as balance_before,
        loan.is_first_payment_missed as is_first_payment_missed_before,
        loan.balance_written_off as balance_written_off_before,
        loan.oldest_due_on as oldest_due_on_before,
        loan.count_instalments_late as count_instalments_late_before,
        -- Written off the month before or earlier, and nothing came since: it rests as it was.
        loan.has_row and loan.written_off_on is not null and came.loan_key is null as is_resting,
        -- A reversal, an instalment handed over late, or money for a loan at rest may change what the month before held
        -- as paid.
        coalesce(loan.has_row, false) and (
            coalesce(came.paid, 0) < 0
            or coalesce(fallen_due.earliest_due_on <= :previous, false)
            or (loan.written_off_on is not null and came.loan_key is not null)
        ) as is_recounted,
    from running as loan
    left join fallen_due on fallen_due.loan_key = loan.loan_key
    left join came on came.loan_key = loan.loan_key
)

select
    * exclude (ended_on_before),
    ends_on is null
        or ends_on > :previous
        or (is_known and ended_on_before is null)
        or coalesce(first_due_on + 30 > :judged_after, false) as has_row,
from moved
where
    ends_on is null
    or ends_on > :previous
    or (is_known and ended_on_before is null)
    or coalesce(first_due_on + 30 > :judged_after, starts_due_on > :as_of, false)
