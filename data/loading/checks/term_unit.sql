-- Lists loans whose term in months is three times as long as the loan runs by its dates, or a third of it.
-- grain: one row per loan (id)
-- placeholders: share (condition on the share of such loans among those with a term)
-- columns: day is the last day of the loan by its dates; value the term as delivered, amount the principal in CNY
-- A loan runs to its maturity, without one to the last due day of its schedule.
with

last_instalment as (
    select loan_key, max(due_on) as due_on
    from part.history.instalment
    where
        loan_key in (
            select loan.loan_key from part.history.loan as loan where loan.matures_on is null and loan.term_months > 0
        )
    group by loan_key
),

span as (
    select
        loan.loan_key,
        loan.principal,
        loan.term_months,
        coalesce(loan.matures_on, last_instalment.due_on) as ends_on,
        date_diff('month', loan.disbursed_on, coalesce(loan.matures_on, last_instalment.due_on)) as month_count,
    from part.history.loan as loan
    left join last_instalment on last_instalment.loan_key = loan.loan_key
    where loan.term_months > 0
),

examined as (
    select
        *,
        term_months > 3 * month_count + 3 or month_count > 3 * term_months + 3 as is_strange,
    from span
    where month_count is not null
),

-- An aggregate, not a window over all rows: that takes time with the square of the loans.
strange_loans as (
    select count(*) filter (where is_strange) / count(*) as share from examined
)

select
    loan_number.loan_id as id,
    examined.ends_on as day,
    examined.term_months::varchar as value,
    examined.principal as amount,
from examined
join loan_number on loan_number.loan_key = examined.loan_key
cross join strange_loans
where examined.is_strange and {share}
