-- Selects who has a balance at one month end, and in which state.
-- grain: one row per loan or customer with a balance (key)
-- placeholders: key (loan_key or customer_key); state (bucket or class); balance (balance or loan_balance); mart
--   (loan_month or customer_month); joins (tables that state and filters need); conditions (month end and filters)
-- columns: state is null where it is unknown; balance in CNY
select
    fact.{key} as key,
    {state} as state,
    cast(fact.{balance} as double) as balance,
from {mart} as fact
{joins}
where {conditions} and fact.{balance} > 0
