-- Assigns a key to every member of one dimension.
-- grain: one row per member, in the table <dimension>_ref
-- parameters: nulls (words in lower case that stand for no value)
-- placeholders: dimension (branch, manager or product); previous (members of the newest older part);
--   own (identifiers delivered in the dimension's table); used (identifiers that other tables use)
-- Members of older parts keep their key; new ones follow in the order of delivery, then of identifiers.
create or replace table {dimension}_ref as
with fresh as (
    select
        id,
        min(line) as line
    from (
        select
            id,
            line
        from {own}
        union all
        select
            id,
            null as line
        from {used}
        where not list_contains($nulls, lower(id))
    )
    where id is not null and id not in (select {dimension}_id from {previous})
    group by id
)

select
    {dimension}_id,
    {dimension}_key,
    true as is_known
from {previous}
union all
select
    id,
    (select coalesce(max({dimension}_key), 0) from {previous}) + row_number() over (order by line nulls last, id)
        as {dimension}_key,
    line is not null as is_known
from fresh
