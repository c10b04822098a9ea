-- What each delivery brought, table by table, as the loader counted it.
-- grain: delivery
select
    delivery,
    as_of,
    source,
    kind,
    loaded_at,
    tables,
from delivery
order by delivery desc
