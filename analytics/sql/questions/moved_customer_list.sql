-- Lists the customers behind one cell of the migration matrix, largest first, names masked.
-- grain: fragment after with; one row per customer (customer_id)
-- parameters: limit (most rows); offset (rows to skip)
-- placeholders: from (table expression that has the rows); picked (condition of the cell)
-- columns: balances in CNY; branch and manager are the customer's latest
page as (
    select *
    from {from}
    where {picked}
    order by greatest(balance_before, balance) desc, key
    limit $limit offset $offset
),

named as (
    select
        customer_key,
        arg_max(name_masked, valid_from) as name_masked,
        arg_max(branch_key, valid_from) as branch_key,
        arg_max(manager_key, valid_from) as manager_key,
    from customer
    where customer_key in (select customer_key from page)
    group by customer_key
)

select
    customer_number.customer_id,
    named.name_masked as name,
    branch.branch_id as branch,
    manager.manager_id as manager,
    page.before,
    page.after,
    page.balance_before,
    page.balance,
    page.days_past_due_before,
    page.days_past_due,
from page
left join customer_number on customer_number.customer_key = page.customer_key
left join named on named.customer_key = page.customer_key
left join branch on branch.branch_key = named.branch_key
left join manager on manager.manager_key = named.manager_key
order by greatest(page.balance_before, page.balance) desc, page.key
