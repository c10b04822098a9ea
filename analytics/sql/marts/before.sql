-- What the month builds on: the rows of the month before, of the year before, and of the last year's late months.
create or replace temp table loan_before as
select * from loan_month where as_of = :previous;

create or replace temp table instalment_before as
select * from instalment_open where as_of = :previous;

create or replace temp table customer_before as
select
    customer_key,
    first_loan_on as first_loan_on_before,
    loans_ever as loans_ever_before,
    loans_settled as loans_settled_before,
    interest_12m as interest_12m_before,
    fees_12m as fees_12m_before,
    margin_12m as margin_12m_before,
    funding_cost_12m as funding_cost_12m_before,
    expected_loss_12m as expected_loss_12m_before,
    operating_cost_12m as operating_cost_12m_before,
from customer_month
where as_of = :previous;

create or replace temp table customer_year_ago as
select
    customer_key,
    interest as interest_year_ago,
    fees as fees_year_ago,
    margin as margin_year_ago,
    funding_cost as funding_cost_year_ago,
    expected_loss as expected_loss_year_ago,
    operating_cost as operating_cost_year_ago,
from customer_month
where as_of = :year_before;

create or replace temp table customer_late as
select customer_key, as_of, days_past_due,
from customer_month
where as_of > :year_before and as_of <= :previous and days_past_due > 0
