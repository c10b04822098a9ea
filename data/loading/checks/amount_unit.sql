-- Lists loans whose principal is fifty times their schedule, or a fiftieth, where most are, and payments out of scale.
-- grain: one row per such loan (id); one without id where the sum of all payments is out of scale
-- parameters: as_of (last month end of the load); last_as_of (last month end of the older parts, null for a full load)
-- columns: day is the day of lending or the last month end; value the principal or payments, amount the schedule; CNY
-- Only of a full delivery, which has whole schedules. Payments may be few: they are too small only at a thousandth of
-- what fell due.
with

schedule as (
    select
        loan_key,
        sum(principal) as principal,
        sum(principal + coalesce(interest, 0)) filter (where due_on <= $as_of) as due,
    from part.history.instalment
    where $last_as_of::date is null
    group by loan_key
),

examined as (
    select
        loan.loan_key,
        loan.disbursed_on,
        loan.principal,
        schedule.principal as scheduled,
        loan.principal > 50 * schedule.principal or loan.principal * 50 < schedule.principal as is_strange,
    from schedule
    join part.history.loan as loan on loan.loan_key = schedule.loan_key
    where loan.principal > 0 and schedule.principal > 0
),

-- An aggregate, not a window over all rows: that takes time with the square of the loans.
strange_loans as (
    select count(*) filter (where is_strange) / count(*) as share from examined
),

received as (
    select
        (select sum(due) from schedule) as due,
        (select sum(amount) from part.history.payment) as paid,
)

select
    loan_number.loan_id as id,
    examined.disbursed_on as day,
    examined.principal::varchar as value,
    examined.scheduled as amount,
from examined
join loan_number on loan_number.loan_key = examined.loan_key
cross join strange_loans
where examined.is_strange and strange_loans.share > 0.5
union all
select
    null::varchar as id,
    $as_of::date as day,
    'payment ' || received.paid as value,
    received.due as amount,
from received
where
    received.due > 0
    and received.paid > 0
    and (received.paid > 50 * received.due or received.paid * 1000 < received.due)
