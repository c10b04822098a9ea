-- Creates settlement: the days on which a customer settled the last open loan, with the date of the next loan.
-- grain: one row per customer and settlement (customer_key, settled_on)
-- columns: next_disbursed_on is null where no loan followed; it may equal settled_on
-- A loan rolled over (续期, 借新还旧) is neither a settlement nor a new loan. A loan written off or sold never settles.
create or replace table part.current.settlement as
with

known as (
    select
        loan_key,
        customer_key,
        disbursed_on,
        rollover_of_key,
        case when written_off_on is null and sold_on is null then closed_on end as settled_on,
    from part.current.loan_life
),

rolled_over as (
    select distinct rollover_of_key as loan_key, from known where rollover_of_key is not null
),

ended as (
    select distinct known.customer_key, known.settled_on,
    from known
    where
        known.settled_on is not null
        and not exists (select 1 from rolled_over where rolled_over.loan_key = known.loan_key)
)

select
    ended.customer_key,
    ended.settled_on,
    min(known.disbursed_on) filter (
        where known.disbursed_on >= ended.settled_on and known.rollover_of_key is null
    ) as next_disbursed_on,
from ended
join known on known.customer_key = ended.customer_key
group by ended.customer_key, ended.settled_on
-- The customer still owed something if another loan was disbursed before that day and settled after it or never.
having not bool_or(known.disbursed_on < ended.settled_on and coalesce(known.settled_on > ended.settled_on, true))
