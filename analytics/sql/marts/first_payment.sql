-- Assesses whether the first instalment was still not fully paid 30 days after its due date.
-- grain: one row per loan to be assessed (loan_key)
-- columns: is_missed is true where payments other than prepayments up to the assessment date are less than the
--   instalment, unless the loan was closed by that date
-- loan_selection is registered by the build: loan_key, disbursed_on, assessed_on (assessment date), closed_on. Each
-- loan is assessed once.
with

assessment as (
    select selection.*, instalment.principal + coalesce(instalment.interest, 0) as amount,
    from loan_selection as selection
    join instalment on instalment.loan_key = selection.loan_key and instalment.number = 1
),

payment_sum as (
    select assessment.loan_key, sum(payment.amount) as paid,
    from payment
    join assessment on assessment.loan_key = payment.loan_key
    where
        payment.paid_on >= (select min(disbursed_on) from assessment)
        and payment.paid_on <= assessment.assessed_on
        and payment.kind is distinct from 'prepayment'
    group by assessment.loan_key
)

select
    assessment.loan_key,
    coalesce(payment_sum.paid, 0) < assessment.amount
    and coalesce(assessment.closed_on > assessment.assessed_on, true) as is_missed,
from assessment
left join payment_sum on payment_sum.loan_key = assessment.loan_key
