-- What the rules may ask of every loan with a balance or still on the books at a month end: the mart's row, and what its
-- dates say (analytics/sql/facts, shared with the build); what the source alone knows of it, as delivered last.
-- grain: loan_key
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
    where as_of = :as_of {only}
),

known as (
    select
        {facts}
    from dated as month
    {joins}
)
