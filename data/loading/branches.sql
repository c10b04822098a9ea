-- Returns every branch with its latest declaration.
-- grain: one row per branch, ordered by key
-- placeholders: declarations (delivered and older rows: branch_id, parent_id, name, name_en, age)
-- columns: age (0 delivered now, 1 in the older part, null without a declaration)
with latest as (
    select *
    from {declarations}
    qualify row_number() over (partition by branch_id order by age) = 1
)

select
    ref.branch_id,
    ref.branch_key,
    latest.parent_id,
    coalesce(latest.name, ref.branch_id) as name,
    latest.name_en,
    latest.age
from branch_ref as ref
left join latest on latest.branch_id = ref.branch_id
order by ref.branch_key
