-- Begins the first version of each new customer with the first loan, deposit or income, where it begins later.
-- grain: one row per such customer, in the table late_version (customer_key)
-- columns: valid_from as delivered; begins_on is the day of that loan, deposit or income
create or replace table late_version as
with

first_version as (
    select version.customer_key, min(version.valid_from) as valid_from,
    from part.history.customer as version
    join part.history.customer_number as new_customer on new_customer.customer_key = version.customer_key
    group by version.customer_key
),

first_record as (
    select customer_key, min(disbursed_on) as begins_on,
    from part.history.loan
    group by customer_key
    union all
    select customer_key, min(as_of) as begins_on,
    from part.history.deposit_balance
    where balance > 0
    group by customer_key
    union all
    select customer_key, min(booked_on) as begins_on,
    from part.history.income
    group by customer_key
)

select first_version.customer_key, first_version.valid_from, min(first_record.begins_on) as begins_on,
from first_version
join first_record on first_record.customer_key = first_version.customer_key
where first_record.begins_on < first_version.valid_from
group by first_version.customer_key, first_version.valid_from;

update part.history.customer
set valid_from = late_version.begins_on
from late_version
where late_version.customer_key = customer.customer_key and late_version.valid_from = customer.valid_from
