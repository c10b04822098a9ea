-- Stores the state of loans and open instalments after the last month, from which the next load continues.
-- grain: loan_state has one row per loan (loan_key), instalment_open one per open instalment (loan_key, number)
-- parameters: as_of (last month end of this load)
-- placeholders: carried (columns of the loan state, loan_state.sql)
-- loan_last and instalment_last are registered by the build. The empty states give the tables their column types.
create or replace table part.current.loan_state as select * from loan_now limit 0;

insert into part.current.loan_state by name select {carried} from loan_last;

insert into part.current.loan_state by name select {carried} from loan_coming where disbursed_on > $as_of;

create or replace table part.current.instalment_open as select * from instalment_now limit 0;

insert into part.current.instalment_open by name select * from instalment_last
