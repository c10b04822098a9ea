-- Two month ends: the day before the source's date, and the end of that date's month. grain: as_of, loan_id
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
    last_day(as_of_date),
    'L' || lpad(line::varchar, 4, '0'),
    new_outstanding_principal_balance,
    days_delinquent_new,
    file,
    line,
from raw_loans
