-- Maps the status of each loan to one snapshot, of the only month end that it describes.
-- grain: one row per loan at 1998-12-31 (as_of, loan_id)
-- columns: balance in Czech koruna and days_past_due are lower bounds for statuses B and D
-- Every instalment is "payments", due monthly from a month after the loan.
with dated as (
    select
        *,
        (date + to_months(duration))::date as matures_on,
        least(duration, date_diff('month', date, date '1998-12-31'))::integer as fallen_due,
    from raw_loan
)

select
    date '1998-12-31' as as_of,
    loan_id,
    case status::varchar
        when 'A' then 0
        when 'B' then payments
        when 'C' then payments * (duration - fallen_due)
        when 'D' then payments * (duration - fallen_due + 1)
    end::decimal(18, 2) as balance,
    case status::varchar
        when 'B' then greatest(1, date '1998-12-31' - matures_on)
        when 'D' then greatest(1, date '1998-12-31' - (date + to_months(fallen_due))::date)
        else 0
    end::integer as days_past_due,
    file,
    line,
from dated
