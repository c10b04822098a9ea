-- Instalments that fall due in the month, and earlier ones that were handed over only now.
-- grain: loan_key, number
-- A schedule may be handed over long before it falls due: this month's instalments stand in any part, older ones that came
-- late in this one.
select loan_key, number, due_on, principal, coalesce(interest, 0) as interest,
from instalment
where due_on > :previous and due_on <= :as_of
union all
select loan_key, number, due_on, principal, coalesce(interest, 0) as interest,
from part.kept.instalment
where due_on > :since and due_on <= :previous
