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

settled as (
    select
        due.*,
        case
            when due.ended_on is not null or due.written_off_on is not null then 0
            else greatest(
                due.principal - due.prepaid_total - coalesce(first_open.principal_paid_total, due.due_principal_total),
                0
            )
        end::decimal(15, 2) as balance,
        case
            when due.is_resting and not due.is_recounted then due.balance_written_off_before
            else greatest(
                due.principal - due.prepaid_total - coalesce(first_open.principal_paid_total, due.due_principal_total),
                0
            )
        end::decimal(15, 2) as owed,
        case
            when due.closed_on is not null
                then greatest(due.paid_total + due.prepaid_total - due.principal, due.interest_total_before)
            when due.ended_on <= :previous or (due.is_resting and not due.is_recounted) then due.interest_total_before
            else
                least(due.paid_total, due.due_total)
                - coalesce(first_open.principal_paid_total, due.due_principal_total)
        end::decimal(15, 2) as interest_total,
        case
            when due.ended_on is not null then null
            when due.is_resting and not due.is_recounted then due.oldest_due_on_before
            else first_open.oldest_due_on
        end as oldest_due_on,
        coalesce(first_open.overdue_amount, 0) as late_amount,
        case
            when due.ended_on is not null then 0
            when due.is_resting and not due.is_recounted then due.count_instalments_late_before
            else coalesce(first_open.count_instalments_late, 0)
        end::smallint as count_instalments_late,
        coalesce(first_payment.is_missed, due.is_first_payment_missed_before) as is_first_payment_missed,
        -- Disbursed in the month, or before and handed over only now. A loan that ended and has a row again (its first payment
        -- is still to be judged) is not new.
        due.disbursed_on > :previous
        or (:is_first and not :is_opening and not due.is_known and due.loan_key > :last_loan_key) as came_now,
        unscheduled.loan_key is null as is_scheduled,
    from loan_due as due
    left join loan_unscheduled as unscheduled on unscheduled.loan_key = due.loan_key
    left join first_open on first_open.loan_key = due.loan_key
    left join first_payment on first_payment.loan_key = due.loan_key
),

facts as (
    select
        * exclude (
            owed, late_amount, came_now, is_scheduled, due_total_before, due_principal_total_before,
            interest_total_before, balance_written_off_before, oldest_due_on_before, count_instalments_late_before,
            is_resting, is_recounted, is_known, closed_on_before, is_first_payment_missed_before
        ),
        case
            when ended_on is not null then 0
            when is_scheduled then coalesce(cast(:as_of as date) - oldest_due_on, 0)
        end::integer as days_past_due,
        case
            when ended_on is not null or written_off_on is not null then 0
            when is_scheduled then late_amount
        end::decimal(15, 2) as overdue_amount,
        case when written_off_on is not null and ended_on is null then owed else 0 end::decimal(15, 2) as balance_written_off,
        -- What came before the first month of the records cannot be told apart by month.
        case
            when :is_opening and disbursed_on <= :previous then 0 else interest_total - interest_total_before
        end::decimal(15, 2) as interest_received,
        came_now as is_new,
        case when came_now then principal else 0 end::decimal(15, 2) as disbursed,
        closed_on is not null
            and written_off_on is null
            and (closed_on > :previous or (is_known and closed_on_before is null)) as is_settled,
        coalesce(written_off_on > :previous, false) as is_newly_written_off,
        date_diff('month', disbursed_on, cast(:as_of as date))::smallint as months_on_book,
        coalesce(first_due_on + 30 <= :as_of and first_due_on + 30 > :judged_after, false) as is_first_payment_judged,
    from settled
),
