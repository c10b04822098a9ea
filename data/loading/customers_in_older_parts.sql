-- Lists the versions of customers that an older part has already.
-- grain: one row per such version, in the table in_older_parts_customer
-- placeholders: keyed_rows (valid rows with their key); older (customer_key, valid_from of the older parts)
create or replace table in_older_parts_customer as
select
    valid.v_customer_id,
    valid.v_valid_from
from {keyed_rows} as valid
join {older} as old on old.customer_key = valid.k_customer_id and old.valid_from = valid.v_valid_from
