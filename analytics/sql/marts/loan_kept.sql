-- What the last month of this load hands on to the next load of its loans.
create or replace table part.head.loan_state as
select {carried} from {before}
union all
select {carried} from loan_coming where disbursed_on > :as_of;

create or replace table part.head.instalment_open as select * from instalment_now
