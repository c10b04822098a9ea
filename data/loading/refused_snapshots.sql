-- Counts the refused snapshots by loan, so that a loan whose row was refused does not lack it a second time.
-- grain: one row per loan (loan_key); null for the refused rows of which the loan is not known
-- placeholders: loan_id (the tidied number of a loan); staged (delivered rows)
create or replace temp table refused_snapshot as
with

refused as (
    select distinct file, line
    from part.history.rejected
    where table_name = 'loan_snapshot'
),

refused_row as (
    select {loan_id} as loan_id
    from {staged} as staged
    semi join refused on refused.file = staged.file and refused.line is not distinct from staged.line
)

select loan_ref.loan_key, count(*) as refused_count
from refused_row
left join loan_ref on loan_ref.loan_id = refused_row.loan_id
group by loan_ref.loan_key
