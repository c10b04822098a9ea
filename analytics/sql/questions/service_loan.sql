-- Defines the table expression "asked": what the service rules use of every loan with a balance at a month end.
-- grain: fragment between with and select; one row per loan (loan_key)
-- parameters: as_of (month end); count_provident_fund (whether provident fund contributions count as income)
-- placeholders: facts (table expressions that end in "known")
-- columns: amount is the balance in CNY; age_plus_term in years; loan_ratio and total_ratio are monthly payments ÷
--   monthly income, as shares of one, null without an income
{facts},

running as (
    select
        loan.*,
        -- The level payment that repays the principal at the rate within the term.
        case
            when loan.term_months > 0 and loan.rate > 0
                then
                    loan.principal::double * (loan.rate / 12)
                    / (1 - power(1 + loan.rate / 12, -cast(loan.term_months as double)))
            when loan.term_months > 0 then loan.principal::double / loan.term_months
        end as payment,
    from loan_month as loan
    where loan.as_of = $as_of and loan.balance > 0
),

paying as (
    select customer_key, sum(payment) as payment, from running group by customer_key
),

asked as (
    select
        loan.loan_key,
        loan.customer_key,
        loan.branch_key,
        loan.manager_key,
        loan.balance as amount,
        product.family,
        loan.guarantee,
        person.consumer_five as borrower_class,
        person.has_payroll,
        person.wage_account_pledged,
        date_sub('year', person.birth_on, loan.disbursed_on) + loan.term_months / 12.0 as age_plus_term,
        loan.payment / nullif(person.income, 0) as loan_ratio,
        (paying.payment + coalesce(person.other_debt_monthly, 0)::double) / nullif(person.income, 0) as total_ratio,
    from running as loan
    left join paying on paying.customer_key = loan.customer_key
    left join product on product.product_key = loan.product_key
    left join (
        select
            *,
            (
                monthly_income
                + coalesce(spouse_monthly_income, 0)
                + case when $count_provident_fund then coalesce(provident_fund_monthly, 0) else 0 end
            )::double as income,
        from known
    ) as person on person.customer_key = loan.customer_key
)
