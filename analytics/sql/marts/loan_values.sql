-- Each loan with its class and what the class and the declared assumptions make it cost in the month.
-- grain: loan_key
-- Provision: 银行贷款损失准备计提指引 (2002): the general rate and the class's own; a regulatory guide, not expected credit loss.
-- Funding: balance × funding rate / 12. Expected loss of the month: PD × LGD × balance / 12.
create or replace temp table loan_values as
select
    loan.*,
    case when loan.balance > 0 then class.npl end as is_npl,
    round(loan.balance * class.provision, 2)::decimal(18, 2) as provision,
    round(loan.balance * coalesce(loan.funding_rate, :funding_rate) / 12, 2)::decimal(18, 2) as funding_cost,
    round(
        loan.balance * class.pd * case when loan.guarantee in ('mortgaged', 'pledged') then :lgd_secured else :lgd_unsecured end / 12,
        2
    )::decimal(18, 2) as expected_loss,
    case when loan.balance > 0 then :operating_cost_loan else 0 end::decimal(18, 2) as operating_cost,
    case when loan.balance > 0 then 1 << coalesce(product.family_code, 0) else 0 end::integer as product_bit,
from loan_graded as loan
left join class_values as class on class.code = loan.loan_five
left join product_codes as product on product.product_key = loan.product_key
