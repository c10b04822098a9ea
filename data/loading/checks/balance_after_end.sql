-- Lists snapshots with a balance at or after the month end in which the loan was closed or sold.
-- grain: one row per loan and month end (id, day)
-- columns: value is the day of the end; amount the balance in CNY
with

last_delivery as (
    select loan_key, max(delivery) as delivery
    from loan
    group by loan_key
),

ended as (
    select loan.loan_key, least(loan.closed_on, loan.sold_on) as ends_on
    from loan
    join last_delivery on last_delivery.loan_key = loan.loan_key and last_delivery.delivery = loan.delivery
    where coalesce(loan.closed_on, loan.sold_on) is not null
)

select
    loan_number.loan_id as id,
    snapshot.as_of as day,
    ended.ends_on::varchar as value,
    snapshot.balance as amount,
from part.history.loan_snapshot as snapshot
join ended on ended.loan_key = snapshot.loan_key and ended.ends_on <= snapshot.as_of
join loan_number on loan_number.loan_key = snapshot.loan_key
where snapshot.balance > 0
