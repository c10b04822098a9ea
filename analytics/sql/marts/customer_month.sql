-- The month's rows of customer_month: facts and attributes of every customer with the classes of every scheme, today and
-- 1, 3, 12 months ago.
-- grain: as_of, customer_key
insert into part.kept.customer_month by name
with

known as (
    select
        attribute.*,
        {attributes}
        {worst},
    from customer_fact as attribute
)

select
    cast(:as_of as date) as as_of,
    customer.customer_key,
    customer.branch_key,
    customer.manager_key,
    customer.account_type,
    customer.age,
    customer.first_loan_on,
    customer.loan_balance,
    customer.overdue_amount,
    customer.days_past_due,
    customer.deposit_balance,
    customer.interest,
    customer.fees,
    customer.margin,
    customer.funding_cost,
    customer.expected_loss,
    customer.operating_cost,
    customer.interest_12m,
    customer.fees_12m,
    customer.margin_12m,
    customer.funding_cost_12m,
    customer.expected_loss_12m,
    customer.operating_cost_12m,
    {packed},
from known as customer
