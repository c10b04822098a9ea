-- What the dates and days of a loan known at :as_of say at that day.
days_past_due > 0 as has_loan_overdue,
restructured_on is not null as is_restructured,
date_sub('month', restructured_on, cast(:as_of as date))::smallint as months_since_restructured,
written_off_on is not null as is_written_off,
