-- Maps loans to the contract; the owner of the account is the borrower.
-- grain: one row per loan (loan_id)
-- columns: principal in Czech koruna; closed_on is the maturity of a settled loan (status A), null otherwise; outcome
--   is bad for statuses B and D
select
    loan.loan_id,
    owner.client_id as customer_id,
    'D' || lpad(account.district_id, 2, '0') as branch_id,
    loan.amount as principal,
    loan.duration as term_months,
    loan.date as disbursed_on,
    (loan.date + to_months(loan.duration))::date as matures_on,
    case when loan.status::varchar = 'A' then (loan.date + to_months(loan.duration))::date end as closed_on,
    case when loan.status::varchar in ('A', 'C') then 'good' else 'bad' end as outcome,
    loan.status::varchar as status_code,
    loan.file,
    loan.line,
from raw_loan as loan
left join raw_account as account on account.account_id = loan.account_id
left join raw_disp as owner on owner.account_id = loan.account_id and owner.type::varchar = 'OWNER'
