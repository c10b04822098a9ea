-- Current loans with their outcome, and the earlier loans of the same borrowers, all of them settled.
-- grain: loan_id
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
    systemloanid,
    customerid,
    'mobile',
    'credit',
    loanamount,
    greatest(1, termdays // 30),
    approveddate,
    approveddate + termdays,
    closeddate,
    null,
    'settled',
    file,
    line,
from raw_earlier
