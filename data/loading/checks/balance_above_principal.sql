-- Lists loans with a balance above their principal, each at its highest balance.
-- grain: one row per loan (id)
-- columns: day is the month end of the highest balance; value that balance, amount what it is above the principal; CNY
with

highest as (
    select loan_key, max(balance) as balance, max_by(as_of, balance) as as_of
    from part.history.loan_snapshot
    group by loan_key
),

borrowed as (
    select loan_key, max_by(principal, delivery) as principal
    from loan
    group by loan_key
)

select
    loan_number.loan_id as id,
    highest.as_of as day,
    highest.balance::varchar as value,
    highest.balance - borrowed.principal as amount,
from highest
join borrowed on borrowed.loan_key = highest.loan_key
join loan_number on loan_number.loan_key = highest.loan_key
where highest.balance > borrowed.principal
