-- Lists loans that mature more than fifty years after lending.
-- grain: one row per loan (id)
-- columns: day is the maturity; value the day of lending, amount the principal in CNY
select
    loan_number.loan_id as id,
    loan.matures_on as day,
    loan.disbursed_on::varchar as value,
    loan.principal as amount,
from part.history.loan as loan
join loan_number on loan_number.loan_key = loan.loan_key
where loan.matures_on > loan.disbursed_on + to_years(50)
