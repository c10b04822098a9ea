-- Fills current.manager with the latest declaration of every manager.
-- grain: one row per manager, ordered by key
-- placeholders: declarations (delivered and older rows: manager_id, branch_key, name_masked, age)
insert into part.current.manager
with latest as (
    select *
    from {declarations}
    qualify row_number() over (partition by manager_id order by age) = 1
)

select
    ref.manager_key,
    ref.manager_id,
    latest.branch_key,
    latest.name_masked
from manager_ref as ref
left join latest on latest.manager_id = ref.manager_id
order by ref.manager_key
