-- Defines the table expression "known": what rules may use of every loan on the books at a month end.
-- grain: fragment between with and select; one row per loan (loan_key)
-- parameters: as_of (month end)
-- placeholders: dates (loan_dates.sql); only (condition for one loan, or nothing); facts (select list of the facts
--   asked for); joins (to attribute where needed)
-- Facts come from the mart's row, its dates, and from the loan as last delivered.
newest as (
    select loan_key, max(delivery) as delivery,
    from loan
    group by loan_key
),

attribute as (
    select attribute.*,
    from loan as attribute
    semi join newest on newest.loan_key = attribute.loan_key and newest.delivery = attribute.delivery
),

dated as (
    select
        {dates}
        *,
    from loan_month
    where as_of = $as_of {only}
),

known as (
    select
        {facts}
    from dated as month
    {joins}
)
