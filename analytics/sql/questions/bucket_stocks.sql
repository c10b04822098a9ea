-- Counts loans and sums balances by days-past-due bucket at several month ends.
-- grain: one row per month end and bucket (as_of, bucket)
-- placeholders: state (the bucket of a loan); joins (tables that the filters need); conditions (month ends and filters)
-- columns: n is the number of loans; balance in CNY
select
    fact.as_of,
    {state} as bucket,
    count(*) as n,
    cast(sum(fact.balance) as double) as balance,
from loan_month as fact
{joins}
where {conditions} and fact.balance > 0
group by fact.as_of, bucket
order by fact.as_of, bucket
