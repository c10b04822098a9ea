-- Selects the targets and red lines of one month end.
-- grain: one row per metric and branch (metric, branch)
-- parameters: as_of (month end)
-- columns: branch is '' for the whole bank, which is delivered as no branch or as the head office; target and red_line
--   are shares of one for rates and CNY for amounts, null where not set
select
    target.metric,
    case when branch.level > 0 then branch.branch_id else '' end as branch,
    arg_max(target.value, target.branch_key is null) as target,
    arg_max(target.red_line, target.branch_key is null) as red_line,
from target
left join branch on branch.branch_key = target.branch_key
where target.as_of = $as_of
group by all
order by target.metric, branch
