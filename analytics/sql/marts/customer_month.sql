-- The month's rows of customer_month: facts and attributes of every customer with the classes of every scheme, today and
-- 1, 3, 12 months ago.
-- grain: as_of, customer_key
insert into part.kept.customer_month by name
select
    cast(:as_of as date) as as_of,
    attribute.customer_key,
    attribute.branch_key,
    attribute.manager_key,
    attribute.account_type,
    attribute.age,
    attribute.first_loan_on,
    attribute.loan_balance,
    attribute.overdue_amount,
    attribute.days_past_due,
    attribute.deposit_balance,
    attribute.interest,
    attribute.fees,
    attribute.margin,
    attribute.funding_cost,
    attribute.expected_loss,
    attribute.operating_cost,
    attribute.interest_12m,
    attribute.fees_12m,
    attribute.margin_12m,
    attribute.funding_cost_12m,
    attribute.expected_loss_12m,
    attribute.operating_cost_12m,
    attribute.traits | {payroll} as traits,
    {packed},
from (
    select
        attribute.*,
        {attributes}
    from customer_fact as attribute
) as attribute
