-- Lists the loans behind one cell of the migration matrix or one term of the bridge, largest first, names masked.
-- grain: fragment after with; one row per loan (loan_id)
-- parameters: limit (most rows); offset (rows to skip)
-- placeholders: from (table expression that has the rows); picked (condition of the cell or term)
-- columns: balances in CNY; the dates are as last known
page as (
    select *
    from {from}
    where {picked}
    order by greatest(balance_before, balance) desc, key
    limit $limit offset $offset
),

named as (
    select customer_key, arg_max(name_masked, valid_from) as name_masked,
    from customer
    where customer_key in (select customer_key from page)
    group by customer_key
)

select
    loan_number.loan_id,
    customer_number.customer_id,
    named.name_masked as name,
    product.product_id as product,
    branch.branch_id as branch,
    manager.manager_id as manager,
    cast(life.channel as varchar) as channel,
    page.before,
    page.after,
    page.balance_before,
    page.balance,
    page.days_past_due_before,
    page.days_past_due,
    life.disbursed_on,
    life.closed_on,
    life.written_off_on,
from page
join loan_life as life on life.loan_key = page.key
left join loan_number on loan_number.loan_key = page.key
left join customer_number on customer_number.customer_key = page.customer_key
left join named on named.customer_key = page.customer_key
left join product on product.product_key = life.product_key
left join branch on branch.branch_key = life.branch_key
left join manager on manager.manager_key = life.manager_key
order by greatest(page.balance_before, page.balance) desc, page.key
