-- Lists the keys of new rows that an older part has already.
-- grain: one row per such key, in the table in_older_parts_<table>
-- placeholders: table (name of the table); key (columns of the key, of fresh); older (rows of the older parts);
--   same_key (condition that joins fresh and old)
create or replace table in_older_parts_{table} as
select distinct {key}
from part.history.{table} as fresh
join {older} as old on {same_key}
