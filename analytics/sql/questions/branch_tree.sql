-- The tree of branches, parents before children, as the newest delivery has it.
-- grain: branch_id
select
    branch_id,
    branch_1,
    branch_2,
    branch_3,
    level,
    name,
    name_en

from branch
order by level, branch_id
