-- Lists the tree of branches, parents before children, as last delivered.
-- grain: one row per branch (branch_id)
-- columns: branch_1, branch_2, branch_3 are the branch_id of the ancestors at levels 1 to 3, the branch itself
--   included, null below its own level; level is 0 for the head office
select
    branch_id,
    branch_1,
    branch_2,
    branch_3,
    level,
    name,
    name_en,
from branch
order by level, branch_id
