-- Selects the attributes of every customer that were in force at the end of the previous load.
-- grain: one row per customer of the earlier parts (customer_key)
-- parameters: before (month end before the first month of this load)
-- placeholders: attributes (columns of alias "attribute" to restore)
with

changed as (
    select customer_key, max(valid_from) as valid_from,
    from customer_known
    where not is_delivered and valid_from <= $before
    group by customer_key
    having count(*) > 1
)

select {attributes},
from customer_known as attribute
left join changed on changed.customer_key = attribute.customer_key
where
    not attribute.is_delivered
    and attribute.valid_from <= $before
    and coalesce(attribute.valid_from = changed.valid_from, true)
