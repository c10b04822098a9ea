-- Selects the days from each settlement of a customer's last loan to the next loan, censored at the as-of date.
-- grain: one row per customer and settlement (customer_key, settled_on)
-- parameters: until (as-of date)
-- placeholders: part (the dimension, or one constant); joins (tables that the dimension and filters need);
--   conditions (month ends and filters)
-- columns: is_back is 1 where the next loan came by the as-of date, 0 where the spell is censored; part is that of the
--   month end after settling, a class that of the opening before it
select
    fact.customer_key,
    settlement.settled_on,
    settlement.next_disbursed_on,
    coalesce(cast({part} as varchar), 'unknown') as part,
    cast(coalesce(settlement.next_disbursed_on <= $until, false) as integer) as is_back,
    least(coalesce(settlement.next_disbursed_on, cast($until as date)), cast($until as date)) - settlement.settled_on
        as days,
from customer_month as fact
join settlement
    on settlement.customer_key = fact.customer_key and last_day(settlement.settled_on) = fact.as_of
{joins}
where {conditions} and settlement.settled_on <= $until
