-- Loans by disbursement cohort whose first instalment was still unpaid 30 days after it fell due. grain: cohort, part
-- n: loans whose 30 days are over; loans: all of the cohort, judged or not yet.
with

cohort as (
    select
        fact.loan_key,
        cast(date_trunc('{period}', fact.disbursed_on) as date) as cohort,
        {part} as part,
    from loan_month as fact
    {joins}
    where {asked} and fact.is_new and fact.disbursed_on > :records_from
),

judged as (
    select loan_key, bool_or(is_first_payment_missed) as is_missed,
    from loan_month
    where as_of <= :until and is_first_payment_missed is not null
    group by loan_key
)

select
    cohort.cohort,
    coalesce(cast(cohort.part as varchar), 'unknown') as part,
    count(judged.loan_key) as n,
    count(*) as loans,
    cast(count(*) filter (where judged.is_missed) as double) as numerator,
    cast(count(judged.loan_key) as double) as denominator,
    numerator / nullif(denominator, 0) as value,
from cohort
left join judged on judged.loan_key = cohort.loan_key
group by cohort.cohort, cohort.part
order by cohort.cohort, part
