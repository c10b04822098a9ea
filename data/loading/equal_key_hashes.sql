-- Counts the rows whose key has the same hash as another row's.
-- grain: one row
-- placeholders: key (columns of the key); relation (rows to look at)
-- Sorting hashes takes half the time of counting distinct ones.
select count(*) as rows
from (
    select
        own,
        lag(own) over (order by own) as previous
    from (select hash({key}) as own from {relation})
)
where own = previous
