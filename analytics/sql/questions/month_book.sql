-- Who has a balance at one month end, in which state. grain: loan or customer
select
    fact.{key} as key,
    {state} as state,
    cast(fact.{balance} as double) as balance,
from {mart} as fact
{joins}
where {asked} and fact.{balance} > 0
