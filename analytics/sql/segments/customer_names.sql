-- Selects the bank's own customer number and the masked name of some customers.
-- grain: one row per customer (customer_key)
-- parameters: keys (list of customer_key)
-- columns: name is null where none was delivered
select
    customer_number.customer_key,
    customer_number.customer_id,
    named.name,
from customer_number
left join (
    select customer_key, arg_max(name_masked, valid_from) as name,
    from customer
    where list_contains($keys, customer_key)
    group by customer_key
) as named on named.customer_key = customer_number.customer_key
where list_contains($keys, customer_number.customer_key)
