-- All instalments due of loans whose payments are allocated anew.
-- grain: loan_key, number
select loan_key, number, due_on, principal, coalesce(interest, 0) as interest,
from instalment
where due_on <= :as_of and loan_key in (select loan_key from loan_asked)
