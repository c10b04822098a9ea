-- Counts moves by opening and closing state; follows the table expression "moved".
-- grain: one row per pair of states (before, after)
-- columns: n counts loans or customers; balances in CNY, null where none of them was inside the filters on that day
select
    before,
    after,
    count(*) as n,
    cast(sum(balance_before) filter (where was_in) as double) as balance_before,
    cast(sum(balance) filter (where is_in) as double) as balance,
from moved
group by before, after
order by before, after
