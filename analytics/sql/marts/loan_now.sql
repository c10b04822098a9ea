-- Every loan that may still have a row: as delivered in this load, else as last known.
-- grain: loan_key
-- The first load of a bank finds no earlier month; an increment redelivers a loan when anything in it changed.
create or replace temp table loan_now as
select
    loan_key,
    customer_key,
    product_key,
    branch_key,
    manager_key,
    channel,
    guarantee,
    principal::decimal(15, 2) as principal,
    rate,
    funding_rate,
    term_months,
    disbursed_on,
    matures_on,
    closed_on,
    least(closed_on, sold_on) as ended_on,
    written_off_on,
    restructured_on,
    rollover_of_key is not null as is_rollover,
from part.kept.loan
union all by name
select
    loan_key,
    customer_key,
    product_key,
    branch_key,
    manager_key,
    channel,
    guarantee,
    principal,
    rate,
    funding_rate,
    term_months,
    disbursed_on,
    matures_on,
    closed_on,
    ended_on,
    written_off_on,
    restructured_on,
    is_rollover,
from loan_month as before
where
    before.as_of = :previous
    and not exists (select 1 from part.kept.loan as delivered where delivered.loan_key = before.loan_key);

-- Loans of which no instalment was ever handed over: whether they are past due cannot be known.
create or replace temp table loan_unscheduled as
select loan_key,
from loan_now
anti join instalment on instalment.loan_key = loan_now.loan_key
