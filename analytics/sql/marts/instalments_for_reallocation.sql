-- Selects all instalments due of the loans whose payments are allocated again from the start.
-- grain: one row per instalment (loan_key, number)
-- parameters: as_of (month end)
-- columns: amounts in CNY
-- loan_selection is registered by the build: the loan_key of these loans.
select loan_key, number, due_on, principal, coalesce(interest, 0) as interest,
from instalment
where due_on <= $as_of and loan_key in (select loan_key from loan_selection)
