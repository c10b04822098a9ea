-- What the last month of this load hands on to the next load of its loans, in the columns of the empty states.
create or replace table part.head.loan_state as select * from loan_now limit 0;

insert into part.head.loan_state by name select {carried} from loan_last;

insert into part.head.loan_state by name select {carried} from loan_coming where disbursed_on > :as_of;

create or replace table part.head.instalment_open as select * from instalment_now limit 0;

insert into part.head.instalment_open by name select * from instalment_last
