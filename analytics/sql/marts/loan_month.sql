-- Inserts the rows of one month into loan_month, with the packed columns of the borrower's row.
-- grain: one row per loan on the books and month end (as_of, loan_key)
-- parameters: as_of (month end)
-- placeholders: borrower (the borrower's attributes, packed); flags (flags of the loan and its borrower, packed);
--   borrower_classes (classes of the borrower, packed); packed (the other packed columns: classes of the loan today
--   and 1, 3 and 12 months ago)
-- loan_fact is registered by the build: state, costs and classes of the month. For units see tables.sql.
insert into part.history.loan_month by name
with

-- There are fewer borrowers than loans, and DuckDB keeps the smaller side of the join in memory.
borrower as (
    select
        customer_key,
        {borrower},
        borrower_classes_packed,
    from part.history.customer_month
    where as_of = $as_of
)

select
    cast($as_of as date) as as_of,
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
    {flags},
    {borrower_classes},
    {packed},
from loan_fact as loan
left join borrower as customer on customer.customer_key = loan.customer_key
where loan.has_row
