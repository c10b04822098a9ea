-- Selects the payments of the month and earlier ones that were delivered only with this load.
-- grain: one row per payment (rows of part.history.payment)
-- parameters: as_of (month end); since (start of the payments to read, exclusive: 0001-01-01 in the first month of a
--   load, otherwise the previous month end)
-- placeholders: delivered (the payments of this part, in the first month also all of reinstated loans)
-- columns: amount in CNY, negative for a reversal; is_prepaid is false where the kind is unknown
select loan_key, amount, coalesce(kind = 'prepayment', false) as is_prepaid,
from {delivered}
where paid_on > $since and paid_on <= $as_of
