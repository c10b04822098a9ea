-- Where every loan stood at the opening and at the closing month end; loans outside the asked rows on both days are left out.
-- grain: loan_key. `before` and `after` are states (class, bucket, late or current) or how the loan came and went:
-- joined, moved_in (was there, outside the filter); settled, written_off, sold, gone (no row and no reason), moved_out.
-- A loan is in the book while it has a balance; by days past due, while it is open (neither ended nor written off).
-- Sums of money are exact decimals. A settlement, write-off or sale counts when dated by the closing day.
with

opening as (
    select
        fact.loan_key,
        fact.customer_key,
        fact.balance,
        fact.days_past_due,
        {state_before} as state,
        coalesce({asked_before}, false) as is_asked,
    from loan_month as fact
    {joins_before}
    where fact.as_of = :opening_on and {in_book}
),

closing as (
    select
        fact.loan_key,
        fact.customer_key,
        fact.balance,
        fact.days_past_due,
        {state_after} as state,
        coalesce({asked_after}, false) as is_asked,
        coalesce({in_book}, false) as is_in_book,
    from loan_month as fact
    {joins_after}
    where fact.as_of = :closing_on
),

moved as (
    select
        coalesce(opening.loan_key, closing.loan_key) as key,
        coalesce(opening.customer_key, closing.customer_key) as customer_key,
        coalesce(opening.is_asked, false) as was_in,
        coalesce(closing.is_asked and closing.is_in_book, false) as is_in,
        case
            when opening.is_asked then opening.state
            when opening.loan_key is not null then 'moved_in'
            else 'joined'
        end as before,
        case
            when closing.is_asked and closing.is_in_book then closing.state
            when closing.is_in_book then 'moved_out'
            when life.written_off_on <= :closing_on then 'written_off'
            when life.sold_on <= :closing_on and coalesce(life.sold_on <= life.closed_on, true) then 'sold'
            when life.closed_on <= :closing_on or closing.loan_key is not null then 'settled'
            else 'gone'
        end as after,
        coalesce(opening.balance, 0)::decimal(15, 2) as balance_before,
        coalesce(closing.balance, 0)::decimal(15, 2) as balance,
        opening.days_past_due as days_past_due_before,
        closing.days_past_due,
    from opening
    full join closing on closing.loan_key = opening.loan_key
    left join loan_life as life on life.loan_key = opening.loan_key
    where opening.is_asked or (closing.is_asked and closing.is_in_book)
)
