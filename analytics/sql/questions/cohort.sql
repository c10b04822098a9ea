-- Loans by the period in which they were lent, each in its part. grain: loan. Only loans disbursed within the records.
with

cohort as (
    select
        fact.loan_key,
        fact.customer_key,
        cast(date_trunc('{period}', fact.disbursed_on) as date) as cohort,
        coalesce(cast({part} as varchar), 'unknown') as part,
        fact.disbursed_on,
        fact.principal,
    from loan_month as fact
    {joins}
    where {asked} and fact.is_new and fact.disbursed_on > :records_from
)
