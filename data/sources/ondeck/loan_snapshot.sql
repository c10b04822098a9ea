-- Maps each loan to two snapshots: the day before the date of the source and the end of that month.
-- grain: one row per loan and month end (as_of, loan_id)
-- columns: balance in US dollars; both snapshots carry the same balance, days_past_due are before and after
select
    as_of_date - 1 as as_of,
    'L' || lpad(line::varchar, 4, '0') as loan_id,
    new_outstanding_principal_balance as balance,
    days_delinquent_old as days_past_due,
    file,
    line,
from raw_loans
union all
select
    last_day(as_of_date) as as_of,
    'L' || lpad(line::varchar, 4, '0') as loan_id,
    new_outstanding_principal_balance as balance,
    days_delinquent_new as days_past_due,
    file,
    line,
from raw_loans
