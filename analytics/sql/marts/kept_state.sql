-- What the last month of this load hands on to the next load.
create or replace table part.head.loan_state as
select {loan_carried} from loan_now
union all
select {loan_carried} from loan_coming where disbursed_on > :as_of;

create or replace table part.head.instalment_open as select * from instalment_now;

create or replace table part.head.customer_state as select {customer_carried} from customer_now
