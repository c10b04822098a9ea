-- Collects the month's events of customers: new loans, loans settled before the records, signals, assessed reloans.
-- grain: one row per customer with at least one event (customer_key)
-- parameters: as_of (month end); previous (month end before it); is_first (whether it is the first month of this
--   load); records_from (month end before the first of all records); has_events (true for schedules and payments,
--   false for month-end snapshots); quarter_before (month end three months before as_of); assessed_from (the day after
--   quarter_before)
-- placeholders: signals (customer_signals.sql); signal_columns (max of each of these columns)
-- columns: null where the customer has no event of that kind; first_loan_on is of the loans new in this month;
--   recounted_… are what a recounted customer's loans, as now known, give at the month end; reloan_bits holds eight
--   flags: bits 0 to 3 for settlements assessed after 30, 90, 180 and 365 days, bits 4 to 7 for those followed by a
--   loan within these days
with

first_loan as (
    select customer_key, min(disbursed_on) as first_loan_on, count(*)::smallint as loans_new,
    from new_loan
    where disbursed_on <= $as_of and (disbursed_on > $previous or ($is_first and is_new_key))
    group by customer_key
),

-- Loans settled before the records never had a row; all others are counted in the month they settle, or are delivered.
earlier_settlement as (
    select customer_key, count(*)::smallint as loans_ended,
    from new_loan
    where
        $is_first
        and is_new_key
        and closes_on <= case when $has_events then $records_from else $previous end
        and writes_off_on is null
    group by customer_key
),

-- A loan delivered again may have changed its borrower or its dates: what was counted of it is counted anew.
recount as (
    select
        customer_recount.customer_key,
        true as is_recounted,
        min(life.disbursed_on) filter (where life.disbursed_on <= $as_of) as recounted_first_loan_on,
        count(life.loan_key) filter (where life.disbursed_on <= $as_of)::integer as recounted_loans_ever,
        count(life.loan_key) filter (
            where life.closed_on <= $as_of and coalesce(life.written_off_on > last_day(life.closed_on), true)
        )::integer as recounted_loans_settled,
    from customer_recount
    left join part.current.loan_life as life on life.customer_key = customer_recount.customer_key
    where $is_first
    group by customer_recount.customer_key
),

-- Signals raised in the last three months; no rows where the bank does not deliver the table.
signals_of_quarter as (
    select
        customer_key,
        {signals}
    from signal
    where raised_on > $quarter_before and raised_on <= $as_of
    group by customer_key
),

-- A settlement is assessed for a window of W days when these are over; the result is reported for three months.
assessment as (
    select
        customer_key,
        settled_on,
        next_disbursed_on - settled_on as days_until_next,
        settled_on + 30 between $assessed_from and $as_of as is_30,
        settled_on + 90 between $assessed_from and $as_of as is_90,
        settled_on + 180 between $assessed_from and $as_of as is_180,
        settled_on + 365 between $assessed_from and $as_of as is_365,
    from part.current.settlement
    where settled_on > $assessed_from - 366 and settled_on <= $as_of
),

reloan as (
    select
        customer_key,
        bit_or(
            case when is_30 then 1 else 0 end
            | case when is_90 then 2 else 0 end
            | case when is_180 then 4 else 0 end
            | case when is_365 then 8 else 0 end
            | case when is_30 and days_until_next <= 30 then 16 else 0 end
            | case when is_90 and days_until_next <= 90 then 32 else 0 end
            | case when is_180 and days_until_next <= 180 then 64 else 0 end
            | case when is_365 and days_until_next <= 365 then 128 else 0 end
        )::utinyint as reloan_bits,
    from assessment
    group by customer_key
)

select
    customer_key,
    max(first_loan_on) as first_loan_on,
    max(loans_new) as loans_new,
    max(loans_ended) as loans_ended,
    coalesce(bool_or(is_recounted), false) as is_recounted,
    max(recounted_first_loan_on) as recounted_first_loan_on,
    max(recounted_loans_ever) as recounted_loans_ever,
    max(recounted_loans_settled) as recounted_loans_settled,
    max(reloan_bits) as reloan_bits,
    {signal_columns},
from (
    select * from first_loan
    union all by name
    select * from earlier_settlement
    union all by name
    select * from recount
    union all by name
    select * from signals_of_quarter
    union all by name
    select * from reloan
)
group by customer_key
