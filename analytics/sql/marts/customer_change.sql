-- Creates customer_change: the attributes, and the classes that depend on them alone, whenever these may change.
-- grain: one row per month of this load and customer with a possible change (graded_on, customer_key)
-- parameters: first (first month end of this load); last (its last month end); before (month end before first)
-- placeholders: months (month ends of this load, as dates); ages (years of age at which a rule may decide
--   otherwise, or null); payroll_years (the same for years of payroll); rulebook_changes (month ends at which
--   another edition of a rulebook comes into force, or null); facts (customer_attributes.sql); names (attributes
--   to carry); graded (one class number per scheme)
-- A class changes with a new version of the attributes, with a birthday or payroll anniversary at a threshold of a
-- rule, or with a new edition of a rulebook. All months are computed in one pass: few rows change in any one month.
create or replace temp table customer_change as
with

version as (
    select
        customer_key,
        valid_from,
        lead(valid_from) over (partition by customer_key order by valid_from) as until,
        birth_on,
        payroll_since,
        greatest(last_day(valid_from), cast($first as date)) as starts_on,
        is_delivered or valid_from > $before as is_new,
    from customer_version
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

possible_change as (
    select customer_key, valid_from, starts_on as as_of,
    from version
    where is_new and starts_on <= $last and coalesce(until > starts_on, true)
    union
    select customer_key, valid_from, as_of,
    from in_force
    where
        as_of in ({rulebook_changes})
        or birth_on between previous + 1 and as_of
        -- The months of birthdays, and the month after for 29 February: the exact condition is slow.
        or (
            month(birth_on) in (month(as_of), month(previous))
            and date_sub('year', birth_on, as_of) in ({ages})
            and date_sub('year', birth_on, as_of) <> date_sub('year', birth_on, previous)
        )
        or (
            month(payroll_since) in (month(as_of), month(previous))
            and date_sub('year', payroll_since, as_of) in ({payroll_years})
            and date_sub('year', payroll_since, as_of) <> date_sub('year', payroll_since, previous)
        )
),

attribute_change as (
    select
        attribute.*,
        {facts}
    from (
        select possible_change.as_of as graded_on, attributes.*,
        from possible_change
        join customer_version as attributes
            on
                attributes.customer_key = possible_change.customer_key
                and attributes.valid_from = possible_change.valid_from
    ) as attribute
)

select
    graded_on,
    {names},
    {graded},
from attribute_change
