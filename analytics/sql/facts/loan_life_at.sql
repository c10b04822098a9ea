-- Every loan as it stood at one or several month ends: what happened later is not told.
-- grain: one row per loan and month end (loan_key, as_of), also before its disbursement
-- columns: those of loan_life; closed_on, written_off_on and sold_on are null until the day has come, and
--   days_late_at_close with closed_on; outcome and status_code have no date and are the newest ones
-- placeholders: months (the month ends, comma separated)
select
    life.* replace (
        case when life.closed_on <= month.as_of then life.closed_on end as closed_on,
        case when life.written_off_on <= month.as_of then life.written_off_on end as written_off_on,
        case when life.sold_on <= month.as_of then life.sold_on end as sold_on,
        case when life.closed_on <= month.as_of then life.days_late_at_close end as days_late_at_close
    ),
    month.as_of,
from loan_life as life
cross join (select unnest([{months}])::date as as_of) as month
