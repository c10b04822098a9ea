-- Derives the payments of the earlier loans: one on the day of the first repayment, the rest on the day of settlement.
-- grain: one row per payment (payment_id)
-- columns: amount in Nigerian naira
-- The extract has no amounts. With several instalments the first payment is the first instalment; with one it is the
-- interest, so that the instalment stays open until the settlement day, as the source says.
with planned as (
    select
        *,
        greatest(1, termdays // 30) as instalments,
    from raw_earlier
),

split as (
    select
        *,
        case
            when firstrepaiddate = closeddate then totaldue
            when instalments = 1 then totaldue - loanamount
            else trunc(loanamount / instalments, 2) + trunc((totaldue - loanamount) / instalments, 2)
        end::decimal(18, 2) as first_amount,
    from planned
)

select
    systemloanid || '-1' as payment_id,
    systemloanid as loan_id,
    firstrepaiddate as paid_at,
    first_amount as amount,
    'instalment' as kind,
    file,
    line,
from split
union all
select
    systemloanid || '-2' as payment_id,
    systemloanid as loan_id,
    closeddate as paid_at,
    (totaldue - first_amount)::decimal(18, 2) as amount,
    'instalment' as kind,
    file,
    line,
from split
where firstrepaiddate <> closeddate
