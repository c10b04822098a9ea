-- Defines the table expression "cohort": loans by the period in which they were disbursed.
-- grain: fragment before select; one row per loan disbursed within the records (loan_key)
-- parameters: records_from (month end before the first month of the records)
-- placeholders: period (month, quarter or year); part (the dimension, or one constant); joins (tables that the
--   dimension and filters need); conditions (month ends and filters)
-- columns: cohort is the first day of the period; part is 'unknown' where the dimension is null; principal in CNY
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
    where {conditions} and fact.is_new and fact.disbursed_on > $records_from
)
