-- Sums the month's fees of each customer and finds the months since each kind of service last brought income.
-- grain: one row per customer with a booking (customer_key)
-- parameters: as_of (month end); since (start of the bookings to read, exclusive); since_month (start of the
--   bookings that count as fees of this month, exclusive)
-- placeholders: months_since (one column months_since_N per kind of income: months since its last booking)
-- columns: fees in CNY, null where no booking counts as of this month
-- A booking delivered late counts as income of the first month of the load that brings it.
select
    customer_key,
    (sum(amount) filter (where booked_on > $since_month))::decimal(15, 2) as fees,
    {months_since},
from part.history.income
where booked_on > $since and booked_on <= $as_of
group by customer_key
