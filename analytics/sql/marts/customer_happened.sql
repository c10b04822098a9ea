-- What a month holds of few customers: first loans and new ones, loans settled long ago, signals, settlements to be judged.
-- grain: customer_key
with

first_loan as (
    select customer_key, min(disbursed_on) as first_loan_on, count(*)::smallint as loans_new,
    from loan_start
    where disbursed_on <= :as_of and (disbursed_on > :previous or (:is_first and is_new_key))
    group by customer_key
),

-- Loans settled before the first month of a load never had a row; the others settle in the month that sees it.
ended as (
    select customer_key, count(*)::smallint as loans_ended,
    from loan_start
    where :is_first and is_new_key and closes_on <= :previous and writes_off_on is null
    group by customer_key
),

-- Signals raised in the last three months; without the table nothing is known of them.
warned as (
    select
        customer_key,
        {signals}
    from signal
    where raised_on > :judged_after and raised_on <= :as_of
    group by customer_key
),

-- A settlement is judged for a window of W days when they are over; the judgement stands for three months.
judged as (
    select
        customer_key,
        settled_on,
        next_disbursed_on - settled_on as days_until_next,
        settled_on + 30 between :judged_from and :as_of as is_30,
        settled_on + 90 between :judged_from and :as_of as is_90,
        settled_on + 180 between :judged_from and :as_of as is_180,
        settled_on + 365 between :judged_from and :as_of as is_365,
    from part.head.settlement
    where settled_on > :judged_from - 366 and settled_on <= :as_of
),

settled as (
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
    from judged
    group by customer_key
)

select
    customer_key,
    max(first_loan_on) as first_loan_on,
    max(loans_new) as loans_new,
    max(loans_ended) as loans_ended,
    max(reloan_bits) as reloan_bits,
    {warned},
from (
    select * from first_loan
    union all by name
    select * from ended
    union all by name
    select * from warned
    union all by name
    select * from settled
)
group by customer_key
