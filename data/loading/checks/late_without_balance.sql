-- Lists snapshots with days past due on a balance of 0.
-- grain: one row per loan and month end (id, day)
-- columns: value is the number of days past due; amount the balance, 0
select
    loan_number.loan_id as id,
    snapshot.as_of as day,
    snapshot.days_past_due::varchar as value,
    snapshot.balance as amount,
from part.history.loan_snapshot as snapshot
join loan_number on loan_number.loan_key = snapshot.loan_key
where snapshot.balance = 0 and snapshot.days_past_due > 0
