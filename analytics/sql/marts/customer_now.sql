-- The attributes of every customer as known at the month end: the newest version valid by then.
-- grain: customer_key
create or replace temp table customer_arrived as
with

newest as (
    select customer_key, max(valid_from) as valid_from,
    from customer
    where valid_from > :since and valid_from <= :as_of
    group by customer_key
)

select {attributes},
from customer
semi join newest on newest.customer_key = customer.customer_key and newest.valid_from = customer.valid_from
where customer.valid_from > :since and customer.valid_from <= :as_of;

delete from customer_now
where customer_key in (select customer_key from customer_arrived);

insert into customer_now by name select * from customer_arrived
