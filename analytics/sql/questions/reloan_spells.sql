-- From each settlement of the last loan to the next loan, in days, ended or cut off at the month end. grain: customer, settlement
-- The customer's part is that of the month end after settling; a tier is taken `opening` months before it.
select
    fact.customer_key,
    settlement.settled_on,
    settlement.next_disbursed_on,
    coalesce(cast({part} as varchar), 'unknown') as part,
    cast(coalesce(settlement.next_disbursed_on <= :until, false) as integer) as is_back,
    least(coalesce(settlement.next_disbursed_on, cast(:until as date)), cast(:until as date)) - settlement.settled_on
        as days,
from customer_month as fact
join settlement
    on settlement.customer_key = fact.customer_key and last_day(settlement.settled_on) = fact.as_of
{joins}
where {asked} and settlement.settled_on <= :until
