-- Counts late loans by disbursement cohort and months on book; follows the table expression "cohort".
-- grain: fragment after with; one row per cohort, part and month on book (cohort, part, month)
-- parameters: until (as-of date)
-- placeholders: is_late (condition of a late loan, days past due above a threshold or written off); late (table or
--   subquery of the late loans); sum_loans (their number); sum_owed (their balance); window (window clause, or nothing)
-- columns: n counts the loans of the cohort; numerator_loans and numerator (CNY) are the loans late by that month
--   (ever) or in it (now); denominator is the amount disbursed in CNY
-- A loan that was ever late counts with its balance at the first such month end. A loan written off counts as late with
-- what is still owed. Only months on book that every loan of the cohort has reached are returned.
size as (
    select
        cohort,
        part,
        count(*) as loans,
        sum(principal) as disbursed,
        date_diff('month', max(disbursed_on), cast($until as date)) as reached,
    from cohort
    group by cohort, part
),

state as (
    select
        cohort.cohort,
        cohort.part,
        cohort.loan_key,
        fact.months_on_book as month,
        fact.balance + fact.balance_written_off as owed,
    from loan_month as fact
    join cohort on cohort.loan_key = fact.loan_key
    where
        fact.as_of <= $until
        and {is_late}
),

counted as (
    select cohort, part, month, count(*) as loans, sum(owed) as owed,
    from {late}
    group by cohort, part, month
),

grid as (
    select size.*, month,
    from size, unnest(range(0, size.reached + 1)) as steps (month)
)

select
    grid.cohort,
    grid.part,
    cast(grid.month as integer) as month,
    grid.loans as n,
    cast(coalesce({sum_loans}, 0) as double) as numerator_loans,
    cast(coalesce({sum_owed}, 0) as double) as numerator,
    cast(grid.disbursed as double) as denominator,
from grid
left join counted
    on counted.cohort = grid.cohort and counted.part = grid.part and counted.month = grid.month
{window}
order by grid.cohort, part, grid.month
