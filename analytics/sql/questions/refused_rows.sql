-- The rows that a load refused, values masked as they were kept.
-- grain: one refused value
select
    delivery,
    table_name,
    file,
    line,
    column_name,
    value_masked,
    reason,
from rejected
order by delivery desc, table_name, line nulls last
limit :limit
