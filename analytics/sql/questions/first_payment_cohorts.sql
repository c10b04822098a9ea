-- Counts first-payment defaults by disbursement cohort; follows the table expressions "cohort" and "outcome".
-- grain: one row per cohort and part (cohort, part)
-- columns: n counts the loans assessed so far, loans all loans of the cohort; numerator is the number of missed first
--   payments, denominator is n; value is a share of one, null where no loan has been assessed
select
    cohort.cohort,
    cohort.part,
    count(outcome.loan_key) as n,
    count(*) as loans,
    cast(count(*) filter (where outcome.is_missed) as double) as numerator,
    cast(count(outcome.loan_key) as double) as denominator,
    numerator / nullif(denominator, 0) as value,
from cohort
left join outcome on outcome.loan_key = cohort.loan_key
group by cohort.cohort, cohort.part
order by cohort.cohort, cohort.part
