-- Maps everybody who has a loan or a description to the contract's customers.
-- grain: one row per customer (customer_id)
-- columns: attributes are null for a borrower without a description
with people as (
    select customerid, file, line from raw_demographics
    union all
    select customerid, file, line from raw_current
    union all
    select customerid, file, line from raw_earlier
),

one_each as (
    select customerid, min(file) as file, min(line) as line
    from people
    group by customerid
)

select
    one_each.customerid as customer_id,
    date '2016-01-01' as valid_from,
    'person' as kind,
    told.birthdate as birth_on,
    case told.level_of_education_clients
        when 'Primary' then 'primary'
        when 'Secondary' then 'secondary'
        when 'Graduate' then 'bachelor'
        when 'Post-Graduate' then 'master'
        else told.level_of_education_clients
    end as education,
    case told.employment_status_clients
        when 'Permanent' then 'employed'
        when 'Self-Employed' then 'self_employed'
        when 'Retired' then 'retired'
        when 'Student' then 'student'
        when 'Unemployed' then 'unemployed'
        when 'Contract' then 'other'
        else told.employment_status_clients
    end as employment,
    told.bank_account_type as account_type,
    one_each.file,
    one_each.line,
from one_each
left join raw_demographics as told on told.customerid = one_each.customerid
