-- The month's rows of customer_month: every customer with the classes of every scheme, today and 1, 3, 12 months ago.
-- grain: as_of, customer_key
create or replace temp table customer_final as
select
    customer.* exclude ({own}),
    cast(:as_of as date) as as_of,
    {classes},
from customer_graded as customer
left join customer_class_1 as one on one.customer_key = customer.customer_key
left join customer_class_3 as three on three.customer_key = customer.customer_key
left join customer_class_12 as twelve on twelve.customer_key = customer.customer_key
