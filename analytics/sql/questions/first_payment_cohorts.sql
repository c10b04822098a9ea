-- Loans by disbursement cohort whose first instalment was still unpaid 30 days after it fell due. grain: cohort, part
-- n: loans whose 30 days are over; loans: all of the cohort, judged or not yet.
select
    cohort.cohort,
    cohort.part,
    count(judged.loan_key) as n,
    count(*) as loans,
    cast(count(*) filter (where judged.is_missed) as double) as numerator,
    cast(count(judged.loan_key) as double) as denominator,
    numerator / nullif(denominator, 0) as value,
from cohort
left join judged on judged.loan_key = cohort.loan_key
group by cohort.cohort, cohort.part
order by cohort.cohort, cohort.part
