-- Compares the sums of principal, instalments and payments of a full delivery, and lists those fifty times apart.
-- grain: one row per pair of sums that cannot be of one unit (value)
-- parameters: as_of (last month end of the load); last_as_of (last month end of the older parts, null for a full load)
-- columns: id is null; day the last month end; value both sums, amount the one of the schedule; in CNY
-- Payments may be few: they are too small only at a thousandth of what fell due.
with

total as (
    select
        (select sum(principal) from part.history.loan) as lent,
        (select sum(principal) from part.history.instalment) as scheduled,
        (
            select sum(principal + coalesce(interest, 0)) filter (where due_on <= $as_of)
            from part.history.instalment
        ) as due,
        (select sum(amount) from part.history.payment) as paid,
),

pair as (
    select 'loan.principal' as name, lent as amount, scheduled, 50 as low, 50 as high
    from total
    union all
    select 'payment.amount' as name, paid as amount, due as scheduled, 1000 as low, 50 as high
    from total
)

select
    null::varchar as id,
    $as_of::date as day,
    pair.name || ' ' || pair.amount || ', instalment ' || pair.scheduled as value,
    pair.scheduled as amount,
from pair
where
    $last_as_of::date is null
    and pair.amount > 0
    and pair.scheduled > 0
    and (pair.amount > pair.high * pair.scheduled or pair.amount * pair.low < pair.scheduled)
