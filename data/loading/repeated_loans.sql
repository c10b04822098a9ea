-- Counts the loan numbers that occur more than once and returns the place of one of them.
-- grain: one row
-- placeholders: loan_id (expression: the cleaned loan number); staged (relation of delivered rows)
with repeated as (
    select
        {loan_id} as id,
        max(file) as file,
        max(line) as line
    from {staged}
    where problem is null
    group by 1
    having count(*) > 1
)

select
    count(*) as loans,
    min(file) as file,
    min(line) as line
from repeated
where id is not null
