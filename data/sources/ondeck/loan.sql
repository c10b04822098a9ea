-- Maps loans to the contract.
-- grain: one row per line of the file (loan_id)
-- columns: principal in US dollars; disbursed_on is the date of the source, the disbursement dates are not published
select
    'L' || lpad(line::varchar, 4, '0') as loan_id,
    'B' || lpad(line::varchar, 4, '0') as customer_id,
    case when sales_channel__c = 'Direct' then 'other' else 'partner' end as channel,
    initial_loan_amount as principal,
    term as term_months,
    date '2012-09-30' as disbursed_on,
    type as status_code,
    file,
    line,
from raw_loans
