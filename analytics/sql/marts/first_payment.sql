-- Assesses whether the first instalment was still not fully paid 30 days after its due date.
-- grain: one row per loan to be assessed (loan_key)
-- columns: is_missed is true where payments other than prepayments up to the assessment date are less than the
--   instalment, unless the loan was closed by that date
-- loan_asked is registered by the build: loan_key, disbursed_on, judged_on (assessment date), closed_on. Each loan
-- is assessed once.
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
