-- Loans and balance by days-past-due bucket at several month ends. grain: as_of, bucket
select
    fact.as_of,
    {state} as bucket,
    count(*) as n,
    cast(sum(fact.balance) as double) as balance,
from loan_month as fact
{joins}
where {asked} and fact.balance > 0
group by fact.as_of, bucket
order by fact.as_of, bucket
