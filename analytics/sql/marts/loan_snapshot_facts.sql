-- Month-end snapshots → the state of each loan; the leading step of loan_values.sql for a bank without events.
-- grain: loan_key
-- Flows that snapshots cannot tell (instalments late, first payment, interest where not delivered) stay null.
facts as (
    select
        loan.* exclude (closed_on, ended_on, written_off_on, restructured_on),
        case when loan.closed_on <= :as_of then loan.closed_on end as closed_on,
        case when loan.ended_on <= :as_of then loan.ended_on end as ended_on,
        case when loan.written_off_on <= :as_of then loan.written_off_on end as written_off_on,
        case when loan.restructured_on <= :as_of then loan.restructured_on end as restructured_on,
        before.balance as balance_before,
        case when loan.written_off_on <= :as_of then 0 else snapshot.balance end::decimal(15, 2) as balance,
        case when loan.written_off_on <= :as_of then snapshot.balance else 0 end::decimal(15, 2) as balance_written_off,
        snapshot.days_past_due::integer as days_past_due,
        -- What a snapshot does not tell: the schedule, what was paid of it, and how the first instalment went.
        null::date as first_due_on,
        null::date as oldest_due_on,
        null::decimal(15, 2) as due_total,
        null::decimal(15, 2) as due_principal_total,
        null::decimal(15, 2) as paid_total,
        null::decimal(15, 2) as prepaid_total,
        null::decimal(15, 2) as interest_total,
        null::decimal(15, 2) as overdue_amount,
        null::smallint as count_instalments_late,
        null::boolean as is_first_payment_missed,
        snapshot.interest_received,
        loan.disbursed_on > :previous as is_new,
        case when loan.disbursed_on > :previous then loan.principal else 0 end::decimal(15, 2) as disbursed,
        coalesce(loan.closed_on > :previous and loan.closed_on <= :as_of, false) as is_settled,
        coalesce(loan.written_off_on > :previous and loan.written_off_on <= :as_of, false) as is_newly_written_off,
        date_diff('month', loan.disbursed_on, cast(:as_of as date))::smallint as months_on_book,
        false as is_first_payment_judged,
    from part.kept.loan_snapshot as snapshot
    join loan_now as loan on loan.loan_key = snapshot.loan_key
    left join loan_month as before on before.loan_key = snapshot.loan_key and before.as_of = :previous
    where snapshot.as_of = :as_of
),
