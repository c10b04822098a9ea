-- What is known of each loan at the month end: balance, days past due, class, and what the class and the assumptions make it cost.
-- grain: loan_key
-- Provision: 银行贷款损失准备计提指引 (2002): the general rate and the class's own; a regulatory guide, not expected credit loss.
-- Funding: balance × funding rate / 12. Expected loss of the month: PD × LGD × balance / 12.
-- Amounts of half a fen are rounded up: 5e-10 lies between the error of a double and the smallest step of these products.
drop table if exists {made};

create table {made} as
with

{facts}

graded as (
    select
        *,
        {graded},
    from (
        select
            *,
            {dates}
        from facts
    )
)

select
    loan.* exclude ({histories}),
    {shifted},
    case when loan.balance > 0 then class.npl end as is_npl,
    round(loan.balance::double * class.provision + 5e-10, 2)::decimal(15, 2) as provision,
    round(loan.balance::double * coalesce(loan.funding_rate, :funding_rate) / 12 + 5e-10, 2)::decimal(15, 2) as funding_cost,
    round(
        loan.balance::double * class.pd * case when loan.guarantee in ('mortgaged', 'pledged') then :lgd_secured else :lgd_unsecured end / 12
        + 5e-10,
        2
    )::decimal(15, 2) as expected_loss,
    case when loan.balance > 0 then :operating_cost_loan else 0 end::decimal(15, 2) as operating_cost,
    case when loan.balance > 0 then 1 << coalesce(product.family_code, 0) else 0 end::integer as product_bit,
from graded as loan
left join class_values as class on class.code = loan.loan_five
left join (select product_key, enum_code(family)::integer as family_code from product) as product
    on product.product_key = loan.product_key
