-- The month's facts are what the next month starts from.
-- grain: customer_key
insert into late_month
select customer_key, cast(:as_of as date), days_past_due,
from customer_facts
where days_past_due > 0;

delete from late_month
where as_of <= :year_before;

drop table customer_now;

alter table customer_facts rename to customer_now
