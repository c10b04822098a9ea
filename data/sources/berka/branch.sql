-- Regions at the top, districts below. grain: branch_id
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
select 'D' || lpad(A1, 2, '0'), A3, A2, A2, file, line,
from raw_district
