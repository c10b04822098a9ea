-- The months of this load in which something about a customer changes that is told by the attributes alone: a version that
-- comes into force, an age or a year of wages that a rule asks for, a new edition of such a rulebook; with the attributes
-- from then on and the classes that follow from them. Decided for all months at once: few rows change in any one of them.
-- grain: graded_on, customer_key
create or replace temp table customer_change as
with

version as (
    select
        customer_key,
        valid_from,
        lead(valid_from) over (partition by customer_key order by valid_from) as until,
        birth_on,
        payroll_since,
        greatest(last_day(valid_from), cast(:first as date)) as starts_on,
        is_delivered or valid_from > :before as is_new,
    from customer_known
),

months as (
    select as_of, last_day(as_of - to_months(1)) as previous,
    from (select unnest(cast([{months}] as date[])) as as_of)
),

in_force as (
    select version.*, months.as_of, months.previous,
    from version
    cross join months
    where version.valid_from <= months.as_of and coalesce(version.until > months.as_of, true)
),

changed as (
    select customer_key, valid_from, starts_on as as_of,
    from version
    where is_new and starts_on <= :last and coalesce(until > starts_on, true)
    union
    select customer_key, valid_from, as_of,
    from in_force
    where
        as_of in ({regraded})
        or birth_on between previous + 1 and as_of
        -- The months that birthdays fall into, and the one after for 29 February: the exact question is dear.
        or (
            month(birth_on) in (month(as_of), month(previous))
            and date_sub('year', birth_on, as_of) in ({ages})
            and date_sub('year', birth_on, as_of) <> date_sub('year', birth_on, previous)
        )
        or (
            month(payroll_since) in (month(as_of), month(previous))
            and date_sub('year', payroll_since, as_of) in ({wage_years})
            and date_sub('year', payroll_since, as_of) <> date_sub('year', payroll_since, previous)
        )
),

known as (
    select
        attribute.*,
        {facts}
    from (
        select changed.as_of as graded_on, known.*,
        from changed
        join customer_known as known on known.customer_key = changed.customer_key and known.valid_from = changed.valid_from
    ) as attribute
)

select
    graded_on,
    {names},
    {graded},
from known
