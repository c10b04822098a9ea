-- Month-end snapshots → the state of each loan; the leading step of loan_values.sql for a bank without events.
-- grain: loan_key
-- Flows that snapshots cannot tell (instalments late, first payment, interest where not delivered) stay null.
facts as (
    select
        loan.* exclude (
            has_row, closed_on, ended_on, written_off_on, balance, balance_written_off, first_due_on, oldest_due_on,
            due_total, due_principal_total, paid_total, prepaid_total, interest_total, count_instalments_late,
            is_first_payment_missed
        ),
        true as has_row,
        case when loan.closes_on <= :as_of then loan.closes_on end as closed_on,
        case when loan.ends_on <= :as_of then loan.ends_on end as ended_on,
        case when loan.writes_off_on <= :as_of then loan.writes_off_on end as written_off_on,
        case when loan.restructures_on <= :as_of then loan.restructures_on end as restructured_on,
        case when loan.has_row then loan.balance end as balance_before,
        case when loan.writes_off_on <= :as_of then 0 else snapshot.balance end::decimal(15, 2) as balance,
        case when loan.writes_off_on <= :as_of then snapshot.balance else 0 end::decimal(15, 2) as balance_written_off,
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
        coalesce(loan.closes_on > :previous and loan.closes_on <= :as_of, false) as is_settled,
        coalesce(loan.writes_off_on > :previous and loan.writes_off_on <= :as_of, false) as is_newly_written_off,
        false as is_first_payment_judged,
    from part.kept.loan_snapshot as snapshot
    join (select {carried} from loan_now) as loan on loan.loan_key = snapshot.loan_key
    where snapshot.as_of = :as_of
),
