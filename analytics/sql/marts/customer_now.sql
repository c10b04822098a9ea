-- The attributes of every customer as known at the month end, and the classes that follow from them alone.
-- grain: customer_key
create or replace temp table customer_arrived as
select
    attribute.* exclude (graded_on),
    before.* exclude ({replaced}),
from customer_change as attribute
left join customer_now as before on before.customer_key = attribute.customer_key
where attribute.graded_on = :as_of;

delete from customer_now
where customer_key in (select customer_key from customer_arrived);

insert into customer_now by name select * from customer_arrived
