-- The month's rows of customer_month: facts and attributes of every customer with the classes of every scheme, today and
-- 1, 3, 12 months ago.
-- grain: as_of, customer_key
insert into part.kept.customer_month by name
with

known as (
    select
        facts.*,
        ranked.contribution_percentile,
        attribute.* exclude (customer_key, valid_from),
        facts.loan_five as worst_loan_five,
        {attributes}
        {before},
        -- Facts that only a new version, a birthday or a year of wages can change.
        one.customer_key is null
            or attribute.valid_from > :previous
            or date_sub('year', attribute.birth_on, cast(:as_of as date))
            is distinct from date_sub('year', attribute.birth_on, cast(:previous as date))
            or date_sub('year', attribute.payroll_since, cast(:as_of as date))
            is distinct from date_sub('year', attribute.payroll_since, cast(:previous as date))
            or (attribute.payroll_since > :previous and attribute.payroll_since <= :as_of) as is_slow_fact_new,
    from customer_facts as facts
    join customer_percentile as ranked on ranked.customer_key = facts.customer_key
    join customer_now as attribute on attribute.customer_key = facts.customer_key
    left join customer_month as one on one.customer_key = facts.customer_key and one.as_of = :opened_1
),

graded as (
    select
        * exclude ({own}),
        {graded},
    from known
)

select
    cast(:as_of as date) as as_of,
    {columns},
    {classes},
from graded as customer
left join customer_month as three on three.customer_key = customer.customer_key and three.as_of = :opened_3
left join customer_month as twelve on twelve.customer_key = customer.customer_key and twelve.as_of = :opened_12
