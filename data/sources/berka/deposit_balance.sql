-- Maps the balance after an account's last transaction up to each month end to its owner's deposits.
-- grain: one row per customer and month end (customer_id, as_of)
-- columns: balance in Czech koruna; owners whose sum is overdrawn are left out
with month_ends as (
    select last_day((date '1993-01-01' + to_months(month))::date) as as_of,
    from range(15) as months (month)
),

last_of_month as (
    select account_id, last_day(date) as as_of, arg_max(balance, line) as balance, max(file) as file, max(line) as line,
    from raw_transactions
    group by account_id, last_day(date)
),

known as (
    select last_of_month.account_id, month_ends.as_of, last_of_month.balance, last_of_month.file, last_of_month.line,
    from month_ends
    join last_of_month on last_of_month.as_of <= month_ends.as_of
    qualify
        row_number() over (
            partition by last_of_month.account_id, month_ends.as_of order by last_of_month.as_of desc
        ) = 1
)

select
    owner.client_id as customer_id,
    known.as_of,
    sum(known.balance)::decimal(18, 2) as balance,
    min(known.file) as file,
    min(known.line) as line,
from known
join raw_disp as owner on owner.account_id = known.account_id and owner.type::varchar = 'OWNER'
group by owner.client_id, known.as_of
having sum(known.balance) >= 0
