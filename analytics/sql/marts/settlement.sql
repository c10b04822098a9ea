-- Creates settlement: the days on which a customer settled the last open loan, with the date of the next loan.
-- grain: one row per customer and settlement (customer_key, settled_on)
-- columns: next_disbursed_on is null where no loan followed; it may equal settled_on
-- A loan rolled over (续期, 借新还旧) is neither a settlement nor a new loan. A loan written off or sold never settles.
create or replace table part.current.settlement as
with

life as (
    select
        loan_key,
        customer_key,
        disbursed_on,
        rollover_of_key,
        case when written_off_on is null and sold_on is null then closed_on end as settled_on,
    from part.current.loan_life
),

rollover as (
    select distinct rollover_of_key as loan_key, from life where rollover_of_key is not null
),

last_settlement as (
    select distinct life.customer_key, life.settled_on,
    from life
    where
        life.settled_on is not null
        and not exists (select 1 from rollover where rollover.loan_key = life.loan_key)
)

select
    last_settlement.customer_key,
    last_settlement.settled_on,
    min(life.disbursed_on) filter (
        where life.disbursed_on >= last_settlement.settled_on and life.rollover_of_key is null
    ) as next_disbursed_on,
from last_settlement
join life on life.customer_key = last_settlement.customer_key
group by last_settlement.customer_key, last_settlement.settled_on
-- The customer still owed something if another loan was disbursed before that day and settled after it or never.
having
    not bool_or(
        life.disbursed_on < last_settlement.settled_on
        and coalesce(life.settled_on > last_settlement.settled_on, true)
    )
