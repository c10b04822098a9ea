-- Selects the month's snapshots of loans from this delivery.
-- grain: one row per loan (loan_key)
-- parameters: as_of (month end)
-- columns: balance and interest_received in CNY; interest_received is null where the bank does not deliver it
select loan_key, balance, days_past_due, interest_received,
from part.history.loan_snapshot
where as_of = $as_of
