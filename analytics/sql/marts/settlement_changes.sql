-- Enters the settlements that a month derived, moved or took back into loan_life.
-- grain: one row of loan_life is changed per loan of settlement_change (loan_key)
-- settlement_change is registered by the build: loan_key, customer_key and closed_on (null where the settlement was
-- taken back) of these loans.
update part.current.loan_life as life
set
    closed_on = change.closed_on,
    days_late_at_close = change.closed_on - coalesce(life.matures_on, change.due_on)
from (
    select settlement_change.loan_key, settlement_change.closed_on, max(instalment.due_on) as due_on,
    from settlement_change
    left join instalment
        on
            instalment.loan_key = settlement_change.loan_key
            and instalment.principal + coalesce(instalment.interest, 0) > 0
    group by settlement_change.loan_key, settlement_change.closed_on
) as change
where change.loan_key = life.loan_key
