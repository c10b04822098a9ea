-- Builds the loans with which the months of this load start: the new delivery merged with the state of the last load.
-- grain: the result has one row per loan disbursed before the first month, with snapshots per loan (loan_key);
--   loan_merged has one per loan, new_loan one per new loan, loan_future one per loan disbursed later, customer_recount
--   one per customer whose loans are counted again (customer_key)
-- parameters: previous (month end before the first month of this load); last_loan_key (highest loan_key of earlier
--   loads, 0 in the first); has_events (true for schedules and payments, false for month-end snapshots)
-- placeholders: state_columns (columns of the loan state, loan_state.sql); histories (select list over alias "loan": a
--   class history, else that of the rows published); instalments (those delivered, and all of reinstated loans)
-- A reinstated loan (loan_reinstated.sql) keeps what was published of it and starts again with nothing due or paid. Its
-- interest is what one full load gives, less what was published: the correction stands in the first month.
create or replace temp table loan_merged as
with

schedule as (
    select loan_key, min(due_on) filter (where number = 1) as first_instalment_on
    from {instalments} group by loan_key
),

merged_delivery as (
    select
        loan.loan_key,
        loan.customer_key,
        loan.product_key,
        loan.branch_key,
        loan.manager_key,
        loan.channel,
        loan.guarantee,
        loan.principal::decimal(15, 2) as principal,
        loan.rate,
        loan.funding_rate,
        loan.term_months,
        loan.disbursed_on,
        loan.matures_on,
        loan.closed_on as closes_on,
        least(loan.closed_on, loan.sold_on) as ends_on,
        loan.written_off_on as writes_off_on,
        loan.restructured_on as restructures_on,
        loan.rollover_of_key is not null as is_rollover,
        -- Days past due are unknown for a loan of which no instalment was ever delivered.
        coalesce(before.is_scheduled, false) or schedule.loan_key is not null as is_scheduled,
        coalesce(schedule.first_instalment_on, before.first_instalment_on) as first_instalment_on,
        -- Without a date of the bank it is the day of a settlement that was derived.
        case
            when before.closes_on is null then before.closed_on
            when loan.closed_on is not null and before.closes_on <= $previous then before.closes_on
        end as closed_on,
        before.* exclude (
            loan_key, customer_key, product_key, branch_key, manager_key, channel, guarantee, principal, rate,
            funding_rate, term_months, disbursed_on, matures_on, closes_on, ends_on, writes_off_on, restructures_on,
            is_rollover, is_scheduled, first_instalment_on, closed_on
        ),
    from part.history.loan as loan
    left join loan_previous as before on before.loan_key = loan.loan_key
    left join schedule on schedule.loan_key = loan.loan_key
)

select * from merged_delivery where loan_key not in (select loan_key from loan_reinstated)
union all by name
select
    loan.* replace (
        coalesce(loan.has_row, false) as has_row,
        null as closed_on,
        null as ended_on,
        case when loan.writes_off_on <= $previous then coalesce(loan.written_off_on, published.written_off_on) end
            as written_off_on,
        null as first_due_on,
        null as oldest_due_on,
        null as due_total,
        null as due_principal_total,
        null as paid_total,
        null as prepaid_total,
        coalesce(loan.interest_total, published.interest) as interest_total,
        null as balance_written_off,
        coalesce(loan.is_first_payment_missed, published.is_first_payment_missed) as is_first_payment_missed,
        {histories},
    )
from merged_delivery as loan
join loan_reinstated on loan_reinstated.loan_key = loan.loan_key
left join loan_published as published on published.loan_key = loan.loan_key
union all by name
select
    before.* replace (
        before.is_scheduled or schedule.loan_key is not null as is_scheduled,
        coalesce(schedule.first_instalment_on, before.first_instalment_on) as first_instalment_on,
    )
from loan_previous as before
left join schedule on schedule.loan_key = before.loan_key
where not exists (select 1 from part.history.loan as delivery where delivery.loan_key = before.loan_key);

-- New loans of this load: disbursed within its months, or earlier ones that are delivered only now.
create or replace table new_loan as
select loan_key, customer_key, disbursed_on, closes_on, writes_off_on, loan_key > $last_loan_key as is_new_key,
from loan_merged
where disbursed_on > $previous or loan_key > $last_loan_key;

-- A loan that is delivered again may have another borrower or other dates; both its borrowers are counted again.
create or replace table customer_recount as
select distinct customer_key
from loan
where loan_key in (select loan_key from part.history.loan where loan_key <= $last_loan_key);

-- Loans of later months wait in loan_future. With snapshots the snapshots of each month say which loans exist.
create or replace temp table loan_future as
select * from loan_merged where $has_events and disbursed_on > $previous;

select {state_columns} from loan_merged where not $has_events or disbursed_on <= $previous
