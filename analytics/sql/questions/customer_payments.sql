-- The newest payments on the loans of a customer.
-- grain: payment_id
select
    payment.paid_on,
    loan_number.loan_id,
    payment.amount,
    cast(payment.kind as varchar) as payment_kind,
from payment
join loan_number on loan_number.loan_key = payment.loan_key
where loan_number.customer_key = :key and payment.paid_on <= :as_of
order by payment.paid_on desc, payment.payment_id
limit :limit
