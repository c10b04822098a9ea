-- The moves counted by where from and where to. grain: before, after
select
    before,
    after,
    count(*) as n,
    cast(sum(balance_before) filter (where was_in) as double) as balance_before,
    cast(sum(balance) filter (where is_in) as double) as balance,
from moved
group by before, after
order by before, after
