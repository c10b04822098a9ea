-- Lists loans whose snapshots end with a balance although the loan is not closed, sold or written off.
-- grain: one row per loan (id)
-- parameters: as_of (last month end of the load); first (first month end of the load); last_as_of (last month end of
--   the older parts, null for a full load)
-- columns: day is the month end of the last row; value its balance, amount the same; in CNY
with

last_row as (
    select loan_key, max(as_of) as as_of, max_by(balance, as_of) as balance
    from loan_snapshot
    where as_of >= coalesce($last_as_of, $first) and as_of <= $as_of
    group by loan_key
),

last_delivery as (
    select loan_key, max(delivery) as delivery
    from loan
    group by loan_key
)

select
    loan_number.loan_id as id,
    last_row.as_of as day,
    last_row.balance::varchar as value,
    last_row.balance as amount,
from last_row
join last_delivery on last_delivery.loan_key = last_row.loan_key
join loan on loan.loan_key = last_row.loan_key and loan.delivery = last_delivery.delivery
join loan_number on loan_number.loan_key = last_row.loan_key
where
    last_row.as_of < (select max(last_row.as_of) from last_row)
    and last_row.balance > 0
    and coalesce(loan.closed_on, loan.sold_on, loan.written_off_on) is null
