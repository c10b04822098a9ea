-- Computes the month's class of each customer by every scheme that depends on more than attributes.
-- grain: one row per customer of customer_fact (customer_key)
-- parameters: as_of (month end)
-- placeholders: signal_names (columns that signals_known replaces); attributes (customer_attributes.sql);
--   signals_known (customer_signals_known.sql over alias "attribute"); graded (one class number per scheme)
-- customer_fact is registered by the build: attributes and facts of the month for the customers to grade.
with

fact as (
    select
        attribute.* exclude ({signal_names}),
        {attributes}
        {signals_known}
        loan_balance > 0 as has_loan,
        date_sub('month', first_loan_on, cast($as_of as date))::smallint as months_since_first_loan,
        (interest_12m + fees_12m + margin_12m)::decimal(15, 2) as contribution_gross_12m,
        (
            interest_12m + fees_12m + margin_12m - funding_cost_12m - expected_loss_12m - operating_cost_12m
        )::decimal(15, 2) as contribution_net_12m,
    from customer_fact as attribute
)

select
    customer_key,
    {graded},
from fact
