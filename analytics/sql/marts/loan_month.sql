-- The month's rows of loan_month: every loan with its classes and those of its borrower, today and 1, 3, 12 months ago,
-- and what is asked of its borrower.
-- grain: as_of, loan_key
insert into part.kept.loan_month by name
with

-- Fewer than the loans: the smaller side of the join is the one that is kept in memory.
borrower as (
    select
        customer_key,
        {borrower},
        borrower_classes,
    from part.kept.customer_month
    where as_of = :as_of
)

select
    cast(:as_of as date) as as_of,
    loan.loan_key,
    loan.customer_key,
    loan.product_key,
    loan.branch_key,
    loan.manager_key,
    loan.principal,
    loan.rate,
    loan.term_months,
    loan.disbursed_on,
    loan.matures_on,
    loan.closed_on,
    loan.ended_on,
    loan.written_off_on,
    loan.restructured_on,
    loan.balance,
    loan.balance_before,
    loan.balance_written_off,
    loan.overdue_amount,
    loan.days_past_due,
    loan.interest_received,
    loan.provision,
    {traits},
    {borrower_classes},
    {packed},
from loan_fact as loan
left join borrower as customer on customer.customer_key = loan.customer_key
where loan.has_row
