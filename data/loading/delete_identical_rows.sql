-- Deletes identical rows of one key but the first.
-- grain: one row deleted per repetition
-- placeholders: table (name of the contract's table); target (table that holds the rows); same_key (condition that
--   joins stored and duplicate); partition_key (columns of the key); sort_order (which row is the first)
delete from {target}
where
    rowid in (
        select stored.rowid
        from {target} as stored
        join duplicate_{table} as duplicate on {same_key}
        where versions = 1
        qualify row_number() over (partition by {partition_key} order by {sort_order}) > 1
    )
