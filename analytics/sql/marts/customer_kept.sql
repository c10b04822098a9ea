-- What the last month of this load hands on to the next load of its customers.
create or replace table part.head.customer_state as select * from customer_carried
