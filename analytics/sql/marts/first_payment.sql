-- Loans whose first instalment was still not fully paid 30 days after its due day, judged once, when the 30 days are over.
-- grain: loan_key
with

judged as (
    select asked.*, instalment.principal + coalesce(instalment.interest, 0) as amount,
    from loan_asked as asked
    join instalment on instalment.loan_key = asked.loan_key and instalment.number = 1
),

came as (
    select judged.loan_key, sum(payment.amount) as paid,
    from payment
    join judged on judged.loan_key = payment.loan_key
    where
        payment.paid_on >= (select min(disbursed_on) from judged)
        and payment.paid_on <= judged.judged_on
        and payment.kind is distinct from 'prepayment'
    group by judged.loan_key
)

select
    judged.loan_key,
    coalesce(came.paid, 0) < judged.amount and coalesce(judged.closed_on > judged.judged_on, true) as is_missed,
from judged
left join came on came.loan_key = judged.loan_key
