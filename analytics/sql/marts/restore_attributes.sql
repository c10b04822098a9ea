-- Selects the attributes of every customer that were in force at the end of the previous load.
-- grain: one row per customer of the earlier parts (customer_key)
-- parameters: before (month end before the first month of this load)
-- placeholders: attributes (columns of alias "attribute" to restore)
with

latest_version as (
    select customer_key, max(valid_from) as valid_from,
    from customer_version
    where not is_delivered and valid_from <= $before
    group by customer_key
    having count(*) > 1
)

select {attributes},
from customer_version as attribute
left join latest_version on latest_version.customer_key = attribute.customer_key
where
    not attribute.is_delivered
    and attribute.valid_from <= $before
    and coalesce(attribute.valid_from = latest_version.valid_from, true)
