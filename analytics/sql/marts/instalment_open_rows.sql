-- The month's rows of instalment_open.
-- grain: as_of, loan_key, number
insert into part.kept.instalment_open by name select * from instalment_now
