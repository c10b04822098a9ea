-- Maps districts to the contract's branches: regions at the top, districts below them.
-- grain: one row per branch (branch_id)
-- columns: branch_id is the region's name, or D and the number of the district
select
    A3 as branch_id,
    null::varchar as parent_id,
    A3 as name,
    A3 as name_en,
    min(file) as file,
    min(line) as line,
from raw_district
group by A3
union all
select
    'D' || lpad(A1, 2, '0') as branch_id,
    A3 as parent_id,
    A2 as name,
    A2 as name_en,
    file,
    line,
from raw_district
