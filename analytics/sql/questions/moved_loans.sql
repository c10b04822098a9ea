-- Defines the table expression "moved": the state of every loan at the opening and at the closing month end.
-- grain: fragment before select; one row per loan inside the filters at opening or closing (key)
-- parameters: opening_on (opening month end); closing_on (closing month end)
-- placeholders: state_before (state at the opening); state_after (state at the closing); filters_before (filters at the
--   opening); filters_after (filters at the closing); joins_before (tables for the opening); joins_after (for the
--   closing)
-- columns: before is a state (class, bucket, late or current), joined (no balance at the opening: lent since, or owed
--   again) or moved_in (there, but outside the filters); after is a state, settled, written_off, sold, gone (no row at
--   the closing and no reason in the data) or moved_out; balances are exact decimals, 0 where the loan has no row
-- A loan is in the book of a day when it has a balance. One that has none at the closing left: by a write-off, sale or
-- settlement dated by the closing day, else it is settled where it has a row, whatever its days past due.
with

opening as (
    select
        fact.loan_key,
        fact.customer_key,
        fact.balance,
        fact.days_past_due,
        {state_before} as state,
        coalesce({filters_before}, false) as is_inside,
    from loan_month as fact
    {joins_before}
    where fact.as_of = $opening_on and fact.balance > 0
),

closing as (
    select
        fact.loan_key,
        fact.customer_key,
        fact.balance,
        fact.days_past_due,
        {state_after} as state,
        coalesce({filters_after}, false) as is_inside,
        fact.balance > 0 as is_in_book,
    from loan_month as fact
    {joins_after}
    where fact.as_of = $closing_on
),

moved as (
    select
        coalesce(opening.loan_key, closing.loan_key) as key,
        coalesce(opening.customer_key, closing.customer_key) as customer_key,
        coalesce(opening.is_inside, false) as was_in,
        coalesce(closing.is_inside and closing.is_in_book, false) as is_in,
        case
            when opening.is_inside then opening.state
            when opening.loan_key is not null then 'moved_in'
            else 'joined'
        end as before,
        case
            when closing.is_inside and closing.is_in_book then closing.state
            when closing.is_in_book then 'moved_out'
            when life.written_off_on <= $closing_on then 'written_off'
            when life.sold_on <= $closing_on and coalesce(life.sold_on <= life.closed_on, true) then 'sold'
            when life.closed_on <= $closing_on or closing.loan_key is not null then 'settled'
            else 'gone'
        end as after,
        coalesce(opening.balance, 0)::decimal(15, 2) as balance_before,
        coalesce(closing.balance, 0)::decimal(15, 2) as balance,
        opening.days_past_due as days_past_due_before,
        closing.days_past_due,
    from opening
    full join closing on closing.loan_key = opening.loan_key
    left join loan_life as life on life.loan_key = opening.loan_key
    where opening.is_inside or (closing.is_inside and closing.is_in_book)
)
