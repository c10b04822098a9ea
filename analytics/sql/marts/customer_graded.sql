-- Every customer with the class in the schemes of customers, by the edition in force at the month end.
-- grain: customer_key
create or replace temp table customer_graded as
select
    *,
    {graded},
from (
    select customer.*, ranked.contribution_percentile,
    from customer_facts as customer
    join customer_percentile as ranked on ranked.customer_key = customer.customer_key
)
