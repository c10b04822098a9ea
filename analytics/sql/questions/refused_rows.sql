-- Lists the rows that loads rejected, newest delivery first, values masked as stored.
-- grain: one row per rejected value (delivery, table_name, file, line, column_name)
-- parameters: limit (most rows)
-- columns: line is null where the reason concerns no single line
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
limit $limit
