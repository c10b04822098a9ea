-- Stores the state of loans and open instalments after the last month, from which the next load continues.
-- grain: loan_state has one row per loan (loan_key), instalment_open one per open instalment (loan_key, number)
-- parameters: as_of (last month end of this load)
-- placeholders: state_columns (columns of the loan state, loan_state.sql)
-- loan_to_store and instalment_to_store are registered by the build. The empty tables give the column types.
create or replace table part.current.loan_state as select * from loan_previous limit 0;

insert into part.current.loan_state by name select {state_columns} from loan_to_store;

insert into part.current.loan_state by name select {state_columns} from loan_future where disbursed_on > $as_of;

create or replace table part.current.instalment_open as select * from instalment_previous limit 0;

insert into part.current.instalment_open by name select * from instalment_to_store
