-- What the months of a load hand from one to the next, empty. At the end of a load it is kept in schema head, from where the
-- next load goes on.

-- grain: customer_key. The attributes of the newest version that the rules and the mart need, the classes that only they
-- decide, and the sums of the month before. service_ages: months since a service last brought income, four bits each.
create or replace temp table customer_now as
select
    {attributes},
    {slow},
    null::ubigint as service_ages,
    null::date as first_loan_on,
    null::smallint as loans_ever,
    null::smallint as loans_settled,
    null::decimal(15, 2) as interest_12m,
    null::decimal(15, 2) as fees_12m,
    null::decimal(15, 2) as margin_12m,
    null::decimal(15, 2) as funding_cost_12m,
    null::decimal(15, 2) as expected_loss_12m,
    null::decimal(15, 2) as operating_cost_12m,
    {histories},
from customer_known as attribute
limit 0;

-- grain: customer_key, as_of. Months past due of the last twelve.
create or replace temp table late_month (customer_key integer, as_of date, days_past_due integer);
