-- Selects the customers of some classes of one scheme at a month end, in one branch with its children or everywhere.
-- grain: one row per customer (customer_key)
-- parameters: as_of (month end); classes (list of class codes); branch (branch_id, or '' for the whole bank)
-- placeholders: scheme (column of customer_month)
-- columns: loan_balance in CNY
select
    month.customer_key,
    month.{scheme}::varchar as class,
    month.loan_balance::double as loan_balance,
from customer_month as month
left join branch on branch.branch_key = month.branch_key
where
    month.as_of = $as_of
    and list_contains($classes, month.{scheme}::varchar)
    and ($branch = '' or $branch in (branch.branch_1, branch.branch_2, branch.branch_3))
