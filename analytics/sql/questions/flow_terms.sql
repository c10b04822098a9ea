-- Defines the table expression "termed": each loan that was overdue at opening or closing, in one term of the bridge.
-- grain: fragment between with and select; one row per loan (key)
-- placeholders: term (case expression that names the term)
-- The amounts of "moved" are decimals, so that the terms add up to the fen.
termed as (
    select
        *,
        {term} as term,
    from moved
    where before = 'late' or after = 'late'
)
