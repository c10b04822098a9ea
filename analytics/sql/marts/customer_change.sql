-- The months of this load in which something about a customer changes that is told by the attributes alone: a version that
-- comes into force, an age or a year of wages that a rule asks for, a new edition of such a rulebook; with the attributes
-- from then on and the classes that follow from them. Decided for all months at once: few rows change in any one of them.
-- grain: as_of, customer_key
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

turning as (
    select
        customer_key, valid_from, until, birth_on as since, last_day(birth_on + to_years(years)) as as_of, years,
    from (select *, unnest(cast([{ages}] as integer[])) as years from version)
    union all
    select
        customer_key, valid_from, until, payroll_since, last_day(payroll_since + to_years(years)), years,
    from (select *, unnest(cast([{wage_years}] as integer[])) as years from version)
),

-- Who was born on 29 February turns a year older on 1 March.
turned as (
    select * from turning
    union all
    select * replace (last_day(as_of + 1) as as_of) from turning where month(since) = 2 and day(since) = 29
),

changed as (
    select customer_key, valid_from, starts_on as as_of,
    from version
    where is_new and starts_on <= :last and coalesce(until > starts_on, true)
    union
    select customer_key, valid_from, as_of,
    from turned
    where
        as_of between :first and :last
        and valid_from <= as_of
        and coalesce(until > as_of, true)
        and date_sub('year', since, as_of) = years
        and date_sub('year', since, last_day(as_of - to_months(1))) < years
    union
    select version.customer_key, version.valid_from, regraded.as_of,
    from version
    cross join (select unnest(cast([{regraded}] as date[])) as as_of) as regraded
    where version.valid_from <= regraded.as_of and coalesce(version.until > regraded.as_of, true)
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
