-- Computes the month's class of each loan by every scheme that grades loans.
-- grain: one row per loan of loan_fact (loan_key)
-- placeholders: graded (one class number per scheme); dates (loan_dates.sql)
-- loan_fact is registered by the build: the facts that the rules use.
select
    loan_key,
    {graded},
from (
    select
        *,
        {dates}
    from loan_fact
)
