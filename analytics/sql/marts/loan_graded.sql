-- Every loan with its class in the schemes of loans, by the edition in force at the month end.
-- grain: loan_key
create or replace temp table loan_graded as
select
    *,
    {graded},
from loan_facts
