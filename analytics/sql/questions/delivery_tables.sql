-- Lists the deliveries with the counts that the loader recorded, newest first.
-- grain: one row per delivery (delivery)
-- columns: tables is JSON: table → read, loaded, rejected, skipped, orphans, control totals; files the same of each raw
--   file of a mapped source, null or empty where files are tables
select
    delivery,
    as_of,
    source,
    kind,
    loaded_at,
    tables,
    manifest -> '$.read' as files,
from delivery
order by delivery desc
