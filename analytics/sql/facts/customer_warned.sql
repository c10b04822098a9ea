-- Customers with early-warning signals: a signal counts at the end of its month and of the two after it, which is the last
-- three months of each of them. `silent` are those that nobody had handled by then. grain: as_of, customer_key
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
