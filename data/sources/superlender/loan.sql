-- Maps current loans with their outcome, and the earlier, settled loans of the same borrowers.
-- grain: one row per loan (loan_id)
-- columns: principal in Nigerian naira; closed_on is null for current loans, outcome for earlier ones
select
    systemloanid as loan_id,
    customerid as customer_id,
    'mobile' as channel,
    'credit' as guarantee,
    loanamount as principal,
    greatest(1, termdays // 30) as term_months,
    approveddate as disbursed_on,
    approveddate + termdays as matures_on,
    null::date as closed_on,
    lower(good_bad_flag::varchar) as outcome,
    good_bad_flag::varchar as status_code,
    file,
    line,
from raw_current
union all
select
    systemloanid as loan_id,
    customerid as customer_id,
    'mobile' as channel,
    'credit' as guarantee,
    loanamount as principal,
    greatest(1, termdays // 30) as term_months,
    approveddate as disbursed_on,
    approveddate + termdays as matures_on,
    closeddate as closed_on,
    null as outcome,
    'settled' as status_code,
    file,
    line,
from raw_earlier
