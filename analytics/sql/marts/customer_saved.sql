-- Deposits at the month end, what they bring and what they cost to keep.
-- grain: customer_key
-- Margin: balance × deposit margin / 12. Half a fen is rounded up: 5e-10 lies between the error of a double and the smallest
-- step of the product.
select
    customer_key,
    balance as deposit_balance,
    round(balance::double * :deposit_margin / 12 + 5e-10, 2)::decimal(15, 2) as margin,
    case when balance > 0 then :operating_cost_deposit else 0 end::decimal(15, 2) as operating_cost,
from deposit_balance
where as_of = :as_of
