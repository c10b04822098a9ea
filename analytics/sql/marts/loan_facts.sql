-- Events → the state of each loan at the month end; the leading steps of loan_values.sql.
-- grain: loan_key
-- Allocation: instalments due are covered first in, first out, interest before principal within one. Money ahead of the
-- schedule is a credit until it falls due; a prepayment lowers the principal at once; a settled loan has no balance.
-- An instalment due on the month end itself and not yet paid is not late, but its principal is still owed.
first_open as (
    select
        loan_key,
        min(due_on) filter (where due_on < :as_of) as oldest_due_on,
        count(*) filter (where due_on < :as_of) as count_instalments_late,
        sum(principal + interest - paid) filter (where due_on < :as_of) as overdue_amount,
        -- Principal of the instalments before the first open one, and of that one what its interest left over.
        arg_min(due_principal_total - principal + greatest(paid - interest, 0), due_total) as principal_paid_total,
    from instalment_now
    group by loan_key
),

opened as (
    select
        due.*,
        coalesce(first_open.principal_paid_total, due.due_principal_total) as principal_paid_total,
        first_open.oldest_due_on as oldest_open_on,
        coalesce(first_open.overdue_amount, 0) as late_amount,
        coalesce(first_open.count_instalments_late, 0) as count_open_late,
        coalesce(first_payment.is_missed, due.is_first_payment_missed_before) as is_first_payment_missed,
        coalesce(due.is_resting and not due.is_recounted, false) as is_at_rest,
        -- Disbursed in the month, or before and handed over only now. A loan that ended and has a row again (its first
        -- payment is still to be judged) is not new.
        due.disbursed_on > :previous
        or (:is_first and not :is_opening and not due.is_known and due.loan_key > :last_loan_key) as is_new,
    from loan_due as due
    left join first_open on first_open.loan_key = due.loan_key
    left join first_payment on first_payment.loan_key = due.loan_key
),

settled as (
    select
        *,
        greatest(principal - prepaid_total - principal_paid_total, 0) as owed,
        case
            when closed_on is not null then greatest(paid_total + prepaid_total - principal, interest_total_before)
            when ended_on <= :previous or is_at_rest then interest_total_before
            else least(paid_total, due_total) - principal_paid_total
        end::decimal(15, 2) as interest_total,
        case
            when ended_on is not null then null
            when is_at_rest then oldest_due_on_before
            else oldest_open_on
        end as oldest_due_on,
    from opened
),

facts as (
    select
        * exclude (
            owed, late_amount, count_open_late, oldest_open_on, principal_paid_total, due_total_before,
            due_principal_total_before, interest_total_before, balance_written_off_before, oldest_due_on_before,
            count_instalments_late_before, is_resting, is_recounted, is_at_rest, is_known, closed_on_before,
            is_first_payment_missed_before
        ),
        case when ended_on is not null or written_off_on is not null then 0 else owed end::decimal(15, 2) as balance,
        case
            when written_off_on is null or ended_on is not null then 0
            when is_at_rest then balance_written_off_before
            else owed
        end::decimal(15, 2) as balance_written_off,
        case
            when ended_on is not null then 0
            when is_at_rest then count_instalments_late_before
            else count_open_late
        end::smallint as count_instalments_late,
        case
            when ended_on is not null then 0
            when is_scheduled then coalesce(cast(:as_of as date) - oldest_due_on, 0)
        end::integer as days_past_due,
        case
            when ended_on is not null or written_off_on is not null then 0
            when is_scheduled then late_amount
        end::decimal(15, 2) as overdue_amount,
        -- What came before the first month of the records cannot be told apart by month.
        case
            when :is_opening and disbursed_on <= :previous then 0 else interest_total - interest_total_before
        end::decimal(15, 2) as interest_received,
        closed_on is not null
            and written_off_on is null
            and (closed_on > :previous or (is_known and closed_on_before is null)) as is_settled,
        coalesce(written_off_on > :previous, false) as is_newly_written_off,
        coalesce(first_due_on + 30 <= :as_of and first_due_on + 30 > :judged_after, false) as is_first_payment_judged,
    from settled
),
