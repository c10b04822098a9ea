-- Compares two rulebooks: who moves from which class to which, and what was observed of them.
-- grain: one row per pair of classes (class_from, class_to)
-- parameters: first (first month end of the observation window); last (its last month end)
-- placeholders: facts (table expressions that end in "known"); key (loan_key or customer_key); class_from (case
--   expression of the present rulebook); class_to (that of the other one); mart (loan_month or customer_month);
--   outstanding (its column of the balance)
-- columns: n counts loans or customers; balance in CNY; observed counts those with a balance at a month end of the
--   window, overdue those of them more than 30 days past due at one; settled counts customers whose settlement was
--   assessed after 90 days within the window, reloaned those who had borrowed again; contribution is the mean net
--   contribution of the twelve months up to last in CNY, spread its standard deviation, contributing its customers
-- A customer of a loan scheme counts once in every cell in which a loan of the customer appears.
with

{facts},

graded as materialized (
    select
        {key},
        customer_key,
        outstanding,
        {class_from} as class_from,
        {class_to} as class_to,
    from known
),

seen as (
    select
        {key},
        bool_or(days_past_due > 30) as is_overdue,
    from {mart}
    where as_of between $first and $last and {outstanding} > 0
    group by {key}
),

lived as (
    select
        customer_key,
        bool_or(is_settled_90) as is_settled,
        bool_or(is_reloaned_90) as is_reloaned,
        max(contribution_net_12m) filter (where as_of = $last)::double as contribution,
    from customer_month
    where as_of between $first and $last and (is_settled_90 or as_of = $last)
    group by customer_key
),

of_rows as (
    select
        class_from,
        class_to,
        count(*) as n,
        sum(outstanding)::double as balance,
        count(seen.is_overdue) as observed,
        count(*) filter (where seen.is_overdue) as overdue,
    from graded
    left join seen on seen.{key} = graded.{key}
    group by class_from, class_to
),

of_customers as (
    select
        cell.class_from,
        cell.class_to,
        count(*) filter (where lived.is_settled) as settled,
        count(*) filter (where lived.is_reloaned) as reloaned,
        count(lived.contribution) as contributing,
        avg(lived.contribution) as contribution,
        stddev_samp(lived.contribution) as spread,
    from (select distinct class_from, class_to, customer_key from graded) as cell
    left join lived on lived.customer_key = cell.customer_key
    group by cell.class_from, cell.class_to
)

select
    of_rows.*,
    of_customers.* exclude (class_from, class_to),
from of_rows
join of_customers on of_customers.class_from = of_rows.class_from and of_customers.class_to = of_rows.class_to
