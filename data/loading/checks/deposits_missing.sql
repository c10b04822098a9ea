-- Lists the month ends without any deposit balance between two that have them.
-- grain: one row per month end (day)
-- columns: id is null; value is the month end before that has balances, amount the sum of its balances in CNY
with

balance_sum as (
    select as_of, sum(balance) as balance
    from deposit_balance
    where
        as_of >= coalesce(
            (
                select max(earlier.as_of)
                from deposit_balance as earlier
                where earlier.as_of < (select min(as_of) from part.history.deposit_balance)
            ),
            (select min(as_of) from part.history.deposit_balance)
        )
    group by as_of
),

gap as (
    select as_of, balance, lead(as_of) over (order by as_of) as next_on
    from balance_sum
)

select
    null::varchar as id,
    unnest(
        list_transform(range(1, date_diff('month', as_of, next_on)), lambda step: last_day(as_of + to_months(step)))
    ) as day,
    as_of::varchar as value,
    balance::decimal(18, 2) as amount,
from gap
where date_diff('month', as_of, next_on) > 1
