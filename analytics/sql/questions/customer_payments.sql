-- Lists the newest payments on the loans of one customer.
-- grain: one row per payment (the key payment_id is not returned)
-- parameters: key (customer_key); as_of (month end); limit (most rows)
-- columns: amount in CNY, negative for a reversal
select
    payment.paid_on,
    loan_number.loan_id,
    payment.amount,
    cast(payment.kind as varchar) as payment_kind,
from payment
join loan_number on loan_number.loan_key = payment.loan_key
where loan_number.customer_key = $key and payment.paid_on <= $as_of
order by payment.paid_on desc, payment.payment_id
limit $limit
