-- Fills history.rejected with the validated rows that have a fault, personal values masked.
-- grain: one row per rejected row
-- parameters: table_name (the contract's table, or the raw file of a source); delivery (its number)
-- placeholders: masked_value (expression: the faulty value); validated (query of validated rows)
insert into part.history.rejected
select
    $table_name as table_name,
    file,
    line,
    nullif(split_part(fault, '|', 1), '') as column_name,
    {masked_value} as value_masked,
    split_part(fault, '|', 2) as reason,
    (select sentence from reason_words where code = split_part(fault, '|', 2)) as sentence,
    $delivery as delivery
from {validated} as validated
where fault is not null
