-- Facts that follow from the attributes of a customer known at the month end and from the date itself.
-- grain: fragment after select; one value per row of the alias "attribute" (a version of a customer)
-- parameters: as_of (month end)
-- columns: age and years_payroll in completed years; age is null without a date of birth; family_monthly_income
--   in CNY, null without an income of the customer's own
    case when attribute.birth_on <= $as_of then date_sub('year', attribute.birth_on, cast($as_of as date)) end as age,
    case
        when attribute.payroll_since <= $as_of then date_sub('year', attribute.payroll_since, cast($as_of as date))
        else 0
    end as years_payroll,
    attribute.monthly_income + coalesce(attribute.spouse_monthly_income, 0) as family_monthly_income,
    coalesce(attribute.payroll_since <= $as_of, false) as has_payroll,
