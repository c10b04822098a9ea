-- Moves from every month end to the next. grain: as_of (the later month end), before, after
-- Joined: no balance a month before. Left: none a month after (settled, written off or sold).
with

stood as (
    select
        fact.as_of,
        fact.{key} as key,
        {state} as state,
        fact.{balance} as balance,
    from {mart} as fact
    {joins}
    where {asked} and fact.{balance} > 0
)

select
    coalesce(closing.as_of, cast(last_day(opening.as_of + interval 1 month) as date)) as as_of,
    coalesce(opening.state, 'joined') as before,
    coalesce(closing.state, 'left') as after,
    count(*) as n,
    cast(coalesce(sum(opening.balance), 0) as double) as balance_before,
    cast(coalesce(sum(closing.balance), 0) as double) as balance,
from stood as opening
full join stood as closing
    on closing.key = opening.key and closing.as_of = last_day(opening.as_of + interval 1 month)
group by 1, 2, 3
having coalesce(closing.as_of, cast(last_day(opening.as_of + interval 1 month) as date)) between :moved_from and :moved_until
order by 1, 2, 3
