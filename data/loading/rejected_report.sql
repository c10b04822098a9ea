-- Lists the rejected rows of a load, for the report of a load that publishes nothing.
-- grain: one row per rejected row
-- parameters: first (the table whose rows come first)
-- columns: value (masked; an apostrophe before what a spreadsheet would take for a formula)
select
    table_name as table,
    file,
    line,
    column_name as "column",
    case
        when regexp_matches(value_masked, '^([=+@]|-[^0-9.])') then '''' || value_masked else value_masked
    end as value,
    reason,
    sentence
from part.history.rejected
order by
    table_name <> $first,
    table_name,
    file,
    line
