-- Inserts the rows of one month into customer_month.
-- grain: one row per customer and month end (as_of, customer_key)
-- parameters: as_of (month end)
-- placeholders: attributes (customer_attributes.sql); payroll (the packed flag has_payroll); packed (the packed
--   columns: flags, counts, delinquency and classes of today and of 1, 3 and 12 months ago)
-- customer_fact is registered by the build: attributes, facts and classes of the month. For units see tables.sql.
insert into part.history.customer_month by name
select
    cast($as_of as date) as as_of,
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
    attribute.flags_packed | {payroll} as flags_packed,
    {packed},
from (
    select
        attribute.*,
        {attributes}
    from customer_fact as attribute
) as attribute
