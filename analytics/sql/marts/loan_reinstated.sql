-- Selects the loans that had ended, or were written off, and are delivered again as open; restores what was published.
-- grain: loan_reinstated and loan_published have one row per such loan (loan_key); none in a first load
-- parameters: previous (month end before the first month of this load); last_loan_key (highest loan_key of earlier
--   loads, 0 in the first); has_events (true for schedules and payments, false for month-end snapshots)
-- placeholders: histories (select list over alias "month": the class history of each board scheme);
--   opening_interest (rows loan_key, interest: received before the records, in CNY)
-- columns: interest is all that was published of the loan, in CNY; written_off_on as published; history_… as in
--   loan_state.sql
-- Such a loan starts again with all its instalments and payments, from the first on. A loan with snapshots has no state
-- to start again. A settlement that was derived is no date of the bank: the build takes it back by itself.
create or replace temp table loan_reinstated as
select delivery.loan_key,
from part.history.loan as delivery
left join loan_previous as before on before.loan_key = delivery.loan_key
where
    $has_events
    and delivery.loan_key <= $last_loan_key
    and delivery.disbursed_on <= $previous
    and coalesce(least(delivery.closed_on, delivery.sold_on) > $previous, true)
    and (
        before.loan_key is null
        or before.ends_on <= $previous
        or (before.written_off_on is not null and coalesce(delivery.written_off_on > $previous, true))
    );

create or replace temp table loan_published as
with

row_sum as (
    select
        month.loan_key,
        sum(month.interest_received) as interest,
        arg_max(month.written_off_on, month.as_of) as written_off_on,
        arg_max(month.is_first_payment_missed, month.as_of) as is_first_payment_missed,
        {histories},
    from loan_month as month
    where month.loan_key in (select loan_key from loan_reinstated)
    group by month.loan_key
)

select row_sum.* replace ((row_sum.interest + coalesce(opening.interest, 0))::decimal(15, 2) as interest),
from row_sum
left join ({opening_interest}) as opening on opening.loan_key = row_sum.loan_key
