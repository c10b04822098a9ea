-- Selects the instalments that fall due in the month and earlier ones that were delivered only with this load.
-- grain: one row per instalment (loan_key, number)
-- parameters: as_of (month end); previous (month end before it); since (start of the late instalments, exclusive:
--   0001-01-01 in the first month of a load, otherwise previous)
-- placeholders: delivered (the instalments of this part, in the first month also all of reinstated loans)
-- columns: amounts in CNY
-- A schedule is delivered long before it falls due: instalments of this month may lie in any part, late ones only in
-- the new part.
select loan_key, number, due_on, principal, coalesce(interest, 0) as interest,
from instalment
where due_on > $previous and due_on <= $as_of
union all
select loan_key, number, due_on, principal, coalesce(interest, 0) as interest,
from {delivered}
where due_on > $since and due_on <= $previous
