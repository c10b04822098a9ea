-- Stores the state of the customers after the last month, from which the next load continues.
-- grain: one row per customer (customer_key)
-- customer_to_store is registered by the build.
create or replace table part.current.customer_state as select * from customer_to_store
