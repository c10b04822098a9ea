-- Fills history.loan with the valid rows, each with its own key and that of the loan it rolls over.
-- grain: one row per delivered loan, ordered by key
-- placeholders: stored (select list of the stored columns); valid_rows (table of valid rows)
insert into part.history.loan by name
select {stored}
from (
    select
        valid.*,
        ref.loan_key as k_loan_id,
        origin.loan_key as k_rollover_of
    from {valid_rows} as valid
    join loan_ref as ref on ref.loan_id = valid.v_loan_id
    left join loan_ref as origin on origin.loan_id = valid.v_rollover_of
)
order by k_loan_id
