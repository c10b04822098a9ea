-- Counts the early-warning signals of each customer within three months, and those that nobody had handled.
-- grain: one row per customer with a signal and month end (as_of, customer_key)
-- columns: a signal counts at the end of the month in which it was raised and of the two months after it;
--   silent counts those that were not handled by that month end
select
    as_of,
    customer_key,
    count(*) as signals,
    count(*) filter (where coalesce(handled_on > as_of, true)) as silent,
from (
    select
        customer_key,
        handled_on,
        last_day(raised_on + to_months(unnest([0, 1, 2])))::date as as_of,
    from signal
    qualify delivery = max(delivery) over (partition by signal_id)
)
group by as_of, customer_key
