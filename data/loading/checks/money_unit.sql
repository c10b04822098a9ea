-- Lists loans of which the first balance is fifty times the principal, or a fiftieth, where most loans are like that.
-- grain: one row per loan (id)
-- columns: day is the month end of the first row; value its balance, amount the principal in CNY
-- Only loans whose first row comes within two months of lending tell: later the balance has been paid down.
with

first_row as (
    select loan_key, min(as_of) as as_of, min_by(balance, as_of) as balance
    from part.history.loan_snapshot
    group by loan_key
),

examined as (
    select
        loan.loan_key,
        loan.principal,
        first_row.as_of,
        first_row.balance,
        first_row.balance > 50 * loan.principal or first_row.balance < loan.principal / 50 as is_strange,
    from part.history.loan as loan
    join first_row on first_row.loan_key = loan.loan_key
    where
        loan.principal > 0
        and first_row.balance > 0
        and first_row.as_of <= loan.disbursed_on + to_months(2)
),

-- An aggregate, not a window over all rows: that takes time with the square of the loans.
strange_loans as (
    select count(*) filter (where is_strange) / count(*) as share from examined
)

select
    loan_number.loan_id as id,
    examined.as_of as day,
    examined.balance::varchar as value,
    examined.principal as amount,
from examined
join loan_number on loan_number.loan_key = examined.loan_key
cross join strange_loans
where examined.is_strange and strange_loans.share > 0.5
