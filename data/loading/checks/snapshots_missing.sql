-- Lists the month ends at which an open loan has no snapshot.
-- grain: one row per loan and month end without a row (id, day)
-- parameters: as_of (last month end of the load); first (first month end of the load); last_as_of (last month end of
--   the older parts, null for a full load)
-- columns: value is the last balance known before, amount the same, the principal where there is none; in CNY
-- A loan needs a row at each month end from its lending to the day on which it is closed, sold or written off; without
-- such a day to its last row, and where it never had one to the end. Rows after a balance of 0 are not needed. A row
-- that was refused stands in the rejects and is not listed again.
with

loan_rows as (
    select
        loan_key,
        count(*) filter (where as_of >= $first) as row_count,
        max(as_of) as last_on,
    from loan_snapshot
    where as_of >= coalesce($last_as_of, $first) and as_of <= $as_of
    group by loan_key
),

newest as (
    select max(last_on) as as_of from loan_rows
),

last_delivery as (
    select loan_key, max(delivery) as delivery
    from loan
    group by loan_key
),

loan_span as (
    select
        loan.loan_key,
        loan.principal,
        coalesce(loan_rows.row_count, 0) as row_count,
        loan_rows.last_on,
        greatest(last_day(loan.disbursed_on), $first) as begins_on,
        case
            when least(loan.closed_on, loan.sold_on, loan.written_off_on) is not null
                then least(
                    date_trunc('month', least(loan.closed_on, loan.sold_on, loan.written_off_on))::date - 1, $as_of
                )
            -- Where the bank has no row at all, every loan of the month before lacks one.
            when loan_rows.last_on < newest.as_of then loan_rows.last_on
            when loan_rows.last_on is not null then $as_of
            when not exists (select 1 from loan_snapshot as earlier where earlier.loan_key = loan.loan_key) then $as_of
        end as stops_on,
    from loan
    join last_delivery on last_delivery.loan_key = loan.loan_key and last_delivery.delivery = loan.delivery
    cross join newest
    left join loan_rows on loan_rows.loan_key = loan.loan_key
),

-- Few loans have fewer rows than month ends; only these are examined row by row.
incomplete as (
    select loan_key, principal, begins_on, stops_on
    from loan_span
    where
        row_count
        < date_diff('month', begins_on, stops_on) + 1 + greatest(coalesce(date_diff('month', stops_on, last_on), 0), 0)
        and begins_on <= stops_on
),

needed as (
    select
        loan_key,
        principal,
        unnest(
            list_transform(
                range(date_diff('month', begins_on, stops_on) + 1), lambda step: last_day(begins_on + to_months(step))
            )
        ) as day,
    from incomplete
),

snapshot as (
    select loan_snapshot.loan_key, loan_snapshot.as_of, loan_snapshot.balance
    from loan_snapshot
    semi join incomplete on incomplete.loan_key = loan_snapshot.loan_key
),

missing as (
    select needed.*
    from needed
    anti join snapshot on snapshot.loan_key = needed.loan_key and snapshot.as_of = needed.day
),

last_known as (
    select
        missing.loan_key,
        missing.day,
        missing.principal,
        snapshot.balance,
    from missing
    asof left join snapshot on snapshot.loan_key = missing.loan_key and snapshot.as_of < missing.day
),

numbered as (
    select
        last_known.*,
        coalesce(refused_snapshot.refused_count, 0) as refused_count,
        row_number() over (partition by last_known.loan_key order by last_known.day) as place,
    from last_known
    left join refused_snapshot on refused_snapshot.loan_key = last_known.loan_key
    where coalesce(last_known.balance > 0, true)
),

unexplained as (
    select
        numbered.*,
        count(*) over () as day_count,
    from numbered
    where numbered.place > numbered.refused_count
)

select
    loan_number.loan_id as id,
    unexplained.day,
    unexplained.balance::varchar as value,
    coalesce(unexplained.balance, unexplained.principal) as amount,
from unexplained
join loan_number on loan_number.loan_key = unexplained.loan_key
where
    unexplained.day_count > (
        select coalesce(sum(refused_snapshot.refused_count), 0)
        from refused_snapshot
        where refused_snapshot.loan_key is null
    )
