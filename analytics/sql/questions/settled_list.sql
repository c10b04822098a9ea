-- Lists the settlements of a reloan curve, longest wait first, names masked.
-- grain: fragment after with; one row per customer and settlement (customer_id, settled_on)
-- parameters: limit (most rows); offset (rows to skip)
-- columns: next_disbursed_on is null where no loan came by the as-of date; days_since_settled runs to the next loan or
--   to the as-of date
page as (
    select *
    from picked
    order by days desc, customer_key, settled_on
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
    page.settled_on,
    case when page.is_back = 1 then page.next_disbursed_on end as next_disbursed_on,
    page.days as days_since_settled,
from page
left join customer_number on customer_number.customer_key = page.customer_key
left join named on named.customer_key = page.customer_key
left join branch on branch.branch_key = named.branch_key
left join manager on manager.manager_key = named.manager_key
order by page.days desc, page.customer_key, page.settled_on
