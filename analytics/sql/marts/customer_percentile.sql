-- Share of customers with a lower gross contribution over twelve months, in whole per cent.
-- grain: customer_key
create or replace temp table customer_percentile as
select
    customer_key,
    floor(100 * percent_rank() over (order by contribution_gross_12m))::utinyint as contribution_percentile,
from customer_facts
