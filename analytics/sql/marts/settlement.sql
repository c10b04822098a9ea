-- Fills settlement: the days on which a customer settled the last open loan, with the date of the next loan.
-- grain: one row per customer and settlement (customer_key, settled_on)
-- placeholders: customers (condition on customer_key: whose settlements are found again)
-- columns: next_disbursed_on is null where no loan followed; it may equal settled_on, but a loan that was settled on
--   that day as well belongs to the settlement and does not follow it
-- A loan rolled over (续期, 借新还旧) is neither a settlement nor a new loan: the debt goes on in the rollover, also that
-- of other loans closed before it is lent. A loan written off or sold never settles.
create table if not exists part.current.settlement (
    customer_key integer,
    settled_on date,
    next_disbursed_on date
);

delete from part.current.settlement where {customers};

insert into part.current.settlement by name
with

life as (
    select
        loan_key,
        customer_key,
        disbursed_on,
        rollover_of_key,
        case when written_off_on is null and sold_on is null then closed_on end as settled_on,
    from part.current.loan_life
    where {customers}
),

rollover as (
    select rollover_of_key as loan_key, max(disbursed_on) as disbursed_on,
    from part.current.loan_life
    where rollover_of_key is not null
    group by rollover_of_key
),

debt as (
    select
        life.loan_key,
        life.customer_key,
        life.disbursed_on,
        life.rollover_of_key is not null as is_rollover,
        life.settled_on,
        rollover.loan_key is not null as is_rolled_over,
        case when life.settled_on is not null then greatest(life.settled_on, rollover.disbursed_on) end as owed_until,
    from life
    left join rollover on rollover.loan_key = life.loan_key
),

last_settlement as (
    select distinct customer_key, settled_on,
    from debt
    where settled_on is not null and not is_rolled_over
)

select
    last_settlement.customer_key,
    last_settlement.settled_on,
    min(debt.disbursed_on) filter (
        where
        debt.disbursed_on >= last_settlement.settled_on
        and not debt.is_rollover
        and (debt.is_rolled_over or coalesce(debt.settled_on > last_settlement.settled_on, true))
    ) as next_disbursed_on,
from last_settlement
join debt on debt.customer_key = last_settlement.customer_key
group by last_settlement.customer_key, last_settlement.settled_on
-- The customer still owed something if another loan was disbursed before that day and settled after it or never. A
-- rollover of the day itself carries an older debt on.
having
    not bool_or(
        (
            debt.disbursed_on < last_settlement.settled_on
            or (debt.is_rollover and debt.disbursed_on = last_settlement.settled_on)
        )
        and coalesce(debt.owed_until > last_settlement.settled_on, true)
    )
