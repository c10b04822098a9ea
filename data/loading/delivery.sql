-- Fills history.delivery with the record of this load.
-- grain: one row per delivery
-- parameters: delivery (its number); source (name); kind (full or increment); as_of (last month end);
--   loaded_at (time in UTC); tables (reconciliation of the tables, JSON); manifest (files, months and facts, JSON)
insert into part.history.delivery by name
select
    $delivery::smallint as delivery,
    $source as source,
    $kind as kind,
    $as_of::date as as_of,
    $loaded_at::timestamp as loaded_at,
    $tables::json as tables,
    $manifest::json as manifest
