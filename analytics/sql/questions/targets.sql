-- The targets and red lines of one month end; those of the whole bank (no branch, or the head office) under the branch ''.
-- grain: metric and branch
select
    target.metric,
    case when branch.level > 0 then branch.branch_id else '' end as branch,
    arg_max(target.value, target.branch_key is null) as target,
    arg_max(target.red_line, target.branch_key is null) as red_line,

from target
left join branch on branch.branch_key = target.branch_key
where target.as_of = :as_of
group by all
order by target.metric, branch
