-- Facts that follow from days past due and from the dates of a loan known at the month end.
-- grain: fragment after select; one value per loan
-- parameters: as_of (month end)
-- columns: has_loan_overdue is null where days past due are unknown; months_since_restructured in completed
--   months, null for a loan that was not restructured
    days_past_due > 0 as has_loan_overdue,
    restructured_on is not null as is_restructured,
    date_sub('month', restructured_on, cast($as_of as date))::smallint as months_since_restructured,
    written_off_on is not null as is_written_off,
