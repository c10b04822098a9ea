-- The month's rows of loan_month: every loan with its classes and those of its borrower, today and 1, 3, 12 months ago.
-- grain: as_of, loan_key
insert into part.kept.loan_month by name
select
    cast(:as_of as date) as as_of,
    {columns},
    {classes},
from loan_values as loan
left join customer_month as customer on customer.customer_key = loan.customer_key and customer.as_of = :as_of
left join loan_month as one on one.loan_key = loan.loan_key and one.as_of = :opened_1
left join loan_month as three on three.loan_key = loan.loan_key and three.as_of = :opened_3
left join loan_month as twelve on twelve.loan_key = loan.loan_key and twelve.as_of = :opened_12
