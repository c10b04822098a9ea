-- The bridge of the overdue stock in money, from opening to closing; every loan stands in one term. grain: term
-- Amounts carry the sign with which they enter the closing stock: decimal, so that the terms close to the fen.
termed as (
    select
        *,
        {term} as term,
    from moved
    where before = 'late' or after = 'late'
)
