-- Lists what one customer holds: loans by product, deposits, and services that brought income within twelve months.
-- grain: one row per kind and product (kind, product)
-- parameters: key (customer_key); as_of (month end); year_before (month end twelve months before)
-- columns: held counts loans, month-end deposit balances or bookings; amount in CNY is the loan balance, the deposit
--   balance or the income of twelve months; product is null for deposits
select
    'loan' as kind,
    product.product_id as product,
    count(*) as held,
    sum(loan.balance)::double as amount,
from loan_month as loan
left join product on product.product_key = loan.product_key
where loan.customer_key = $key and loan.as_of = $as_of and loan.balance > 0
group by product.product_id

union all by name

select
    'deposit' as kind,
    count(*) as held,
    sum(balance)::double as amount,
from deposit_balance
where customer_key = $key and as_of = $as_of and balance > 0
having count(*) > 0

union all by name

select
    'service' as kind,
    cast(income.kind as varchar) as product,
    count(*) as held,
    sum(amount)::double as amount,
from income
where customer_key = $key and booked_on > $year_before and booked_on <= $as_of
group by income.kind
order by kind, amount desc
