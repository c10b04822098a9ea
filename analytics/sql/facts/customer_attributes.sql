-- What the attributes known at :as_of say at that day.
case when attribute.birth_on <= :as_of then date_sub('year', attribute.birth_on, cast(:as_of as date)) end as age,
case
    when attribute.payroll_since <= :as_of then date_sub('year', attribute.payroll_since, cast(:as_of as date))
    else 0
end as years_payroll,
attribute.monthly_income + coalesce(attribute.spouse_monthly_income, 0) as family_monthly_income,
coalesce(attribute.payroll_since <= :as_of, false) as has_payroll,
