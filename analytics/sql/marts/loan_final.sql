-- The month's rows of loan_month: every loan with its classes and those of its borrower, today and 1, 3, 12 months ago.
-- grain: as_of, loan_key
create or replace temp table loan_final as
select
    loan.* exclude ({own}),
    cast(:as_of as date) as as_of,
    {classes},
from loan_values as loan
left join customer_final as customer on customer.customer_key = loan.customer_key
left join loan_class_1 as one on one.loan_key = loan.loan_key
left join loan_class_3 as three on three.loan_key = loan.loan_key
left join loan_class_12 as twelve on twelve.loan_key = loan.loan_key
