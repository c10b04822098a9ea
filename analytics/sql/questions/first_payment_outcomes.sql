-- Defines the table expression "outcome": whether the first payment of a loan was missed, where it has been assessed.
-- grain: fragment between with and select; one row per loan with an assessed first payment (loan_key)
-- parameters: until (as-of date)
-- A first payment is assessed once, 30 days after its due date.
outcome as (
    select loan_key, bool_or(is_first_payment_missed) as is_missed,
    from loan_month
    where as_of <= $until and is_first_payment_assessed
    group by loan_key
)
