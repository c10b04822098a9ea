-- What the rules may ask of every customer at a month end: the mart's row, the attributes known by then, the signals of
-- three months. The select lists of the last two are those of the build (analytics/sql/facts).
-- grain: customer_key
newest as (
    select customer_key, max(valid_from) as valid_from,
    from customer
    where valid_from <= :as_of
    group by customer_key
),

attribute as (
    select
        {attributes}
        attribute.*,
    from customer as attribute
    semi join newest on newest.customer_key = attribute.customer_key and newest.valid_from = attribute.valid_from
),

warned as (
    select
        customer_key,
        {signals}
    from signal
    where raised_on > :judged_after and raised_on <= :as_of
    group by customer_key
),

known as (
    select
        {facts}
    from customer_month as month
    {joins}
    where month.as_of = :as_of {only}
)
