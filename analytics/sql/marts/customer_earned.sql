-- Fees of the month, and the months since each kind of service last brought income. A late booking counts as income of the
-- month that learns of it.
-- grain: customer_key
select
    customer_key,
    (sum(amount) filter (where booked_on > :since_month))::decimal(15, 2) as fees,
    {services},
from part.kept.income
where booked_on > :since and booked_on <= :as_of
group by customer_key
