-- Loans of which the first instalment is judged, 30 days after it fell due. grain: loan
judged as (
    select loan_key, bool_or(is_first_payment_missed) as is_missed,
    from loan_month
    where as_of <= :until and is_first_payment_judged
    group by loan_key
)
