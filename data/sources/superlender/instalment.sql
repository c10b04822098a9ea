-- Derives the schedule of the earlier loans: one instalment for each 30 days.
-- grain: one row per instalment (loan_id, number)
-- columns: amounts in Nigerian naira; the first instalment is due on its own day, the last one takes the remainder
with planned as (
    select *, greatest(1, termdays // 30) as instalments,
    from raw_earlier
),

numbered as (
    select planned.*, number,
    from planned
    cross join range(1, 4) as numbers (number)
    where number <= instalments
)

select
    systemloanid as loan_id,
    number::integer as number,
    case when number = 1 then firstduedate else approveddate + (30 * number)::integer end as due_on,
    case
        when number < instalments then trunc(loanamount / instalments, 2)
        else loanamount - (instalments - 1) * trunc(loanamount / instalments, 2)
    end::decimal(18, 2) as principal,
    case
        when number < instalments then trunc((totaldue - loanamount) / instalments, 2)
        else (totaldue - loanamount) - (instalments - 1) * trunc((totaldue - loanamount) / instalments, 2)
    end::decimal(18, 2) as interest,
    file,
    line,
from numbered
