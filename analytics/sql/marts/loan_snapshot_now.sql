-- The month's snapshots of loans.
-- grain: loan_key
select loan_key, balance, days_past_due, interest_received,
from part.kept.loan_snapshot
where as_of = :as_of
