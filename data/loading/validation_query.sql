-- Reads, casts, links and validates every row of a relation of delivered rows.
-- grain: one row per delivered row
-- placeholders: tidied_columns (select list of the cleaned texts, t_<column>); relation (delivered rows);
--   nullified (replace clause that makes the agreed words null, or nothing); typed_columns (select list of v_<column>);
--   joins (to the keys that the row refers to, or nothing); linked_columns (select list of typed and k_<column>);
--   faults (cases that return column|reason); closed_dates (replace clause that makes the open end null, or nothing)
with tidied as (
    select
        *,
        {tidied_columns}
    from {relation}
),

nullified as materialized (
    select * {nullified} from tidied
),

typed as materialized (
    select
        *,
        {typed_columns}
    from nullified
),

linked as (
    select {linked_columns}
    from typed
    {joins}
),

validated as materialized (
    select
        *,
        case {faults} end as fault
    from linked
)

select * {closed_dates} from validated
