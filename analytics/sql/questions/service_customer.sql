-- Defines the table expression "asked": what the service rules use of every customer at a month end.
-- grain: fragment between with and select; one row per customer (customer_key)
-- parameters: as_of (month end)
-- placeholders: facts (table expressions that end in "known")
-- columns: amount is the loan balance in CNY
{facts},

asked as (
    select
        month.customer_key,
        month.branch_key,
        month.manager_key,
        month.loan_balance as amount,
        known.consumer_five as customer_class,
        known.owner_kind,
        month.manager_key is not null or known.owner_kind is not null as has_owner,
    from customer_month as month
    join known on known.customer_key = month.customer_key
    where month.as_of = $as_of
)
