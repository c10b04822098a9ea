-- Defines the table expression "known": what rules may use of every customer at a month end.
-- grain: fragment between with and select; one row per customer (customer_key)
-- parameters: as_of (month end); judged_after (month end three months before as_of)
-- placeholders: attributes (customer_attributes.sql); signals (customer_signals.sql); facts (select list of the facts
--   asked for); joins (to attribute and warned where needed); only (condition for one customer, or nothing)
-- Facts come from the mart's row, the attributes in force at the month end and the signals of three months.
newest as (
    select customer_key, max(valid_from) as valid_from,
    from customer
    where valid_from <= $as_of
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
    where raised_on > $judged_after and raised_on <= $as_of
    group by customer_key
),

known as (
    select
        {facts}
    from customer_month as month
    {joins}
    where month.as_of = $as_of {only}
)
