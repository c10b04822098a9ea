-- Selects one customer's masked name, attributes and row of customer_month at the month end.
-- grain: at most one row, of the customer asked for
-- parameters: key (customer_key); as_of (month end)
-- columns: name is masked; for the other columns see analytics/sql/marts/tables.sql
select
    customer.name_masked as name,
    branch.branch_id as branch,
    manager.manager_id as manager,
    cast(customer.kind as varchar) as kind,
    customer.since_on,
    month.age,
    cast(month.education as varchar) as education,
    cast(month.employment as varchar) as employment,
    cast(month.employer_kind as varchar) as employer_kind,
    month.* exclude (
        as_of, customer_key, branch_key, manager_key, kind, gender, age, education, employment, employer_kind
    ),
from customer_month as month
left join branch on branch.branch_key = month.branch_key
left join manager on manager.manager_key = month.manager_key
left join customer on customer.customer_key = month.customer_key and customer.valid_from <= $as_of
where month.as_of = $as_of and month.customer_key = $key
order by customer.valid_from desc
limit 1
