-- The customers of some classes of one scheme at a month end, in one branch and those below it, or in the whole bank.
-- grain: customer_key
select
    month.customer_key,
    month.{scheme}::varchar as class,
    month.loan_balance::double as loan_balance,
from customer_month as month
left join branch on branch.branch_key = month.branch_key
where
    month.as_of = :as_of
    and list_contains(:classes, month.{scheme}::varchar)
    and (:branch = '' or :branch in (branch.branch_1, branch.branch_2, branch.branch_3))
