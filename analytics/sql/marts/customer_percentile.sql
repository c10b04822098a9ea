-- Share of customers with a lower gross contribution over twelve months, in whole per cent.
-- grain: customer_key
create or replace temp table customer_percentile as
select
    customer_key,
    floor(100 * percent_rank() over (order by interest_12m + fees_12m + margin_12m))::utinyint as contribution_percentile,
from customer_facts
