-- Lists the months of one customer: days past due, balance and the class by every scheme.
-- grain: one row per month end (as_of)
-- parameters: key (customer_key); since (start, exclusive); as_of (last month end)
-- placeholders: classes (one column per scheme)
-- columns: loan_balance in CNY; a scheme of loans gives the worst class among the customer's loans
select
    as_of,
    days_past_due,
    loan_balance,
    {classes},
from customer_month
where customer_key = $key and as_of > $since and as_of <= $as_of
order by as_of
