-- Lists one page of loans or customers: the bank's numbers, masked name, branch, manager and what the list adds.
-- grain: fragment after with; one row per row of the page
-- parameters: limit (most rows); offset (rows to skip)
-- placeholders: rows (query of all rows, with customer_key); rows_order (its order); home (more columns of the newest
--   version of a customer, or nothing); columns (select list); list_joins (more tables, or nothing); branch_of
--   (relation with branch_key and manager_key); page_order (rows_order over the alias page)
page as (
    {rows}
    order by {rows_order}
    limit $limit offset $offset
),

named as (
    select
        customer_key,
        {home}
        arg_max(name_masked, valid_from) as name_masked,
    from customer
    where customer_key in (select customer_key from page)
    group by customer_key
)

select
    {columns}
from page
{list_joins}
left join customer_number on customer_number.customer_key = page.customer_key
left join named on named.customer_key = page.customer_key
left join branch on branch.branch_key = {branch_of}.branch_key
left join manager on manager.manager_key = {branch_of}.manager_key
order by {page_order}
