-- Lists the deliveries with the counts that the loader recorded, newest first.
-- grain: one row per delivery (delivery)
-- columns: tables is JSON: table → read, loaded, rejected, skipped, orphans, control totals
select
    delivery,
    as_of,
    source,
    kind,
    loaded_at,
    tables,
from delivery
order by delivery desc
