-- Payments of the month, and earlier ones that were handed over only now.
-- grain: payment
select loan_key, amount, coalesce(kind = 'prepayment', false) as is_prepaid,
from part.kept.payment
where paid_on > :since and paid_on <= :as_of
