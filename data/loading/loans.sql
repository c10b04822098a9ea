-- Fills history.loan with the valid rows, each with its own key and that of the loan it rolls over.
-- grain: one row per delivered loan, ordered by key; rollover_name has one row per loan named in rollover_of (loan_id,
--   position)
-- placeholders: stored (select list of the stored columns); valid_rows (table of valid rows)
-- One loan may replace several: their numbers are separated by semicolons. The first known one is stored; that the loan
-- is a rollover says enough of the others (analytics/sql/marts/settlement.sql). A loan does not roll itself over.
create or replace temp table rollover_name as
with

loan_name as (
    select
        v_loan_id as loan_id,
        unnest(string_split(v_rollover_of, ';')) as name,
        unnest(range(len(string_split(v_rollover_of, ';')))) as position,
    from {valid_rows}
    where v_rollover_of is not null and v_rollover_of not in (select loan_id from loan_ref)
    union all
    select
        v_loan_id as loan_id,
        v_rollover_of as name,
        0 as position,
    from {valid_rows}
    where v_rollover_of in (select loan_id from loan_ref)
)

select
    loan_name.loan_id,
    loan_name.position,
    origin.loan_key,
from loan_name
left join loan_ref as origin on origin.loan_id = trim(loan_name.name) and origin.loan_id <> loan_name.loan_id
where trim(loan_name.name) <> '';

insert into part.history.loan by name
with

rollover as (
    select loan_id, arg_min(loan_key, position) as loan_key,
    from rollover_name
    where loan_key is not null
    group by loan_id
)

select {stored}
from (
    select
        valid.*,
        ref.loan_key as k_loan_id,
        rollover.loan_key as k_rollover_of
    from {valid_rows} as valid
    join loan_ref as ref on ref.loan_id = valid.v_loan_id
    left join rollover on rollover.loan_id = valid.v_loan_id
)
order by k_loan_id
