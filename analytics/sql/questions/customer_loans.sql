-- Lists the loans of one customer at the month end, ended loans in their last known state.
-- grain: one row per loan (loan_id)
-- parameters: key (customer_key); as_of (month end)
-- columns: amounts in CNY; rate is a share of one per year
with

last as (
    select loan_key, max(as_of) as as_of,
    from loan_month
    where customer_key = $key and as_of <= $as_of
    group by loan_key
)

select
    loan_number.loan_id,
    product.product_id as product,
    loan.principal,
    loan.balance,
    loan.days_past_due,
    loan.overdue_amount,
    cast(loan.loan_five as varchar) as loan_five,
    loan.rate,
    loan.disbursed_on,
    loan.matures_on,
    loan.closed_on,
from loan_month as loan
semi join last on last.loan_key = loan.loan_key and last.as_of = loan.as_of
left join loan_number on loan_number.loan_key = loan.loan_key
left join product on product.product_key = loan.product_key
where loan.customer_key = $key
order by loan.disbursed_on desc, loan.loan_key
