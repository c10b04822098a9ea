-- Maps each loan to a borrower of its own, because the source does not name borrowers.
-- grain: one row per line of the file (customer_id)
select
    'B' || lpad(line::varchar, 4, '0') as customer_id,
    date '2012-09-30' as valid_from,
    'sme' as kind,
    fico as credit_score,
    file,
    line,
from raw_loans
