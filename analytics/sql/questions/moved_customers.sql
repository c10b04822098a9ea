-- Defines the table expression "moved": the class of every borrower at the opening and at the closing month end.
-- grain: fragment before select; one row per customer inside the filters at opening or closing (key)
-- parameters: opening_on (opening month end); closing_on (closing month end)
-- placeholders: state_before (class at the opening); state_after (class at the closing); filters_before (filters at
--   the opening); filters_after (filters at the closing); joins_before (tables of the opening); joins_after (of the
--   closing)
-- columns: before is the class, or joined (no loan at the opening) or moved_in (outside the filters then); after is the
--   class, or left (no loan at the closing) or moved_out (outside the filters then); balances in CNY, 0 without a loan
with

opening as (
    select
        fact.customer_key,
        fact.loan_balance as balance,
        fact.days_past_due,
        {state_before} as state,
        coalesce({filters_before}, false) as is_inside,
    from customer_month as fact
    {joins_before}
    where fact.as_of = $opening_on and fact.has_loan
),

closing as (
    select
        fact.customer_key,
        fact.loan_balance as balance,
        fact.days_past_due,
        {state_after} as state,
        coalesce({filters_after}, false) as is_inside,
    from customer_month as fact
    {joins_after}
    where fact.as_of = $closing_on and fact.has_loan
),

moved as (
    select
        coalesce(opening.customer_key, closing.customer_key) as key,
        coalesce(opening.customer_key, closing.customer_key) as customer_key,
        coalesce(opening.is_inside, false) as was_in,
        coalesce(closing.is_inside, false) as is_in,
        case
            when opening.is_inside then opening.state
            when opening.customer_key is not null then 'moved_in'
            else 'joined'
        end as before,
        case
            when closing.is_inside then closing.state
            when closing.customer_key is not null then 'moved_out'
            else 'left'
        end as after,
        coalesce(opening.balance, 0)::decimal(15, 2) as balance_before,
        coalesce(closing.balance, 0)::decimal(15, 2) as balance,
        opening.days_past_due as days_past_due_before,
        closing.days_past_due,
    from opening
    full join closing on closing.customer_key = opening.customer_key
    where opening.is_inside or closing.is_inside
)
