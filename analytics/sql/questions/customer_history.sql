-- A customer month by month: days past due, balance and the class in every scheme that grades customers; of the loans, the worst.
-- grain: as_of
select
    as_of,
    days_past_due,
    loan_balance,
    {classes},
from customer_month
where customer_key = :key and as_of > :since and as_of <= :as_of
order by as_of
