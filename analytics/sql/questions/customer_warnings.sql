-- Lists the signals raised and the actions taken on one customer, newest first.
-- grain: one row per signal or action
-- parameters: key (customer_key); since (start, exclusive); as_of (month end); limit (most rows)
-- columns: handled_on is null for a signal not handled and for actions; result is null for signals
with

newest as (
    select signal_id, max(delivery) as delivery,
    from signal
    where customer_key = $key
    group by signal_id
)

select
    signal.raised_on as day,
    'signal' as what,
    cast(signal.kind as varchar) as code,
    signal.handled_on,
from signal
semi join newest on newest.signal_id = signal.signal_id and newest.delivery = signal.delivery
where signal.customer_key = $key and signal.raised_on > $since and signal.raised_on <= $as_of

union all by name

select
    done_on as day,
    'action' as what,
    cast(kind as varchar) as code,
    cast(result as varchar) as result,
from action
where customer_key = $key and done_on > $since and done_on <= $as_of
order by day desc
limit $limit
