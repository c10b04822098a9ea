-- Computes each customer's deposits at the month end with their margin and operating cost.
-- grain: one row per customer with a deposit balance (customer_key)
-- parameters: as_of (month end); deposit_margin (share of one per year); operating_cost_deposit (CNY per depositor
--   and month)
-- columns: amounts in CNY; margin and operating_cost are of the month
-- The margin is balance × deposit margin / 12, with half a fen rounded up. 5e-10 is larger than the error of a double
-- and smaller than the smallest step of the product.
select
    customer_key,
    balance as deposit_balance,
    round(balance::double * $deposit_margin / 12 + 5e-10, 2)::decimal(15, 2) as margin,
    case when balance > 0 then $operating_cost_deposit else 0 end::decimal(15, 2) as operating_cost,
from deposit_balance
where as_of = $as_of
