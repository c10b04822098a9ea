-- The classes of the month's loans by every scheme that grades loans.
-- grain: loan_key
select
    loan_key,
    {graded},
from (
    select
        *,
        {dates}
    from loan_fact
)
