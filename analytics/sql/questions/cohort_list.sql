-- Lists the loans of one cohort, largest first, names masked, with their state on the as-of date.
-- grain: fragment after with; one row per loan of "picked" (loan_id)
-- parameters: limit (most rows); offset (rows to skip); until (as-of date)
-- columns: amounts in CNY; balance and days_past_due are null for a loan that has no row at the as-of date
page as (
    select *
    from picked
    order by principal desc, loan_key
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
    page.principal,
    page.disbursed_on,
    today.balance,
    today.days_past_due,
    life.closed_on,
    life.written_off_on,
from page
join loan_life as life on life.loan_key = page.loan_key
left join loan_month as today on today.loan_key = page.loan_key and today.as_of = $until
left join loan_number on loan_number.loan_key = page.loan_key
left join customer_number on customer_number.customer_key = page.customer_key
left join named on named.customer_key = page.customer_key
left join product on product.product_key = life.product_key
left join branch on branch.branch_key = life.branch_key
left join manager on manager.manager_key = life.manager_key
order by page.principal desc, page.loan_key
