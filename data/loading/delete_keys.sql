-- Deletes the rows of a table whose key is in another table.
-- grain: one row deleted per row of such a key
-- placeholders: target (table to delete from); rejected (table of keys); condition (on that table);
--   same_key (condition that joins keys and the target)
delete from {target}
where exists (select 1 from {rejected} as keys where {condition} and {same_key})
