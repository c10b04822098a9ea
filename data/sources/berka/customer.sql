-- Maps every client to the contract's customers, whether owner of an account or not.
-- grain: one row per customer (customer_id)
-- columns: birth_on and gender come from the birth number, in which women's months carry 50 more; since_on is the date
--   of the first account, null without one
with opened as (
    select disp.client_id, min(account.date) as since_on,
    from raw_disp as disp
    join raw_account as account on account.account_id = disp.account_id
    group by disp.client_id
)

select
    client.client_id as customer_id,
    date '1993-01-01' as valid_from,
    opened.since_on,
    'D' || lpad(client.district_id, 2, '0') as branch_id,
    'person' as kind,
    try_cast(
        '19' || substr(birth_number, 1, 2)
        || '-' || lpad((substr(birth_number, 3, 2)::integer % 50)::varchar, 2, '0')
        || '-' || substr(birth_number, 5, 2) as date
    ) as birth_on,
    case when substr(birth_number, 3, 2)::integer > 50 then 'female' else 'male' end as gender,
    client.file,
    client.line,
from raw_client as client
left join opened on opened.client_id = client.client_id
