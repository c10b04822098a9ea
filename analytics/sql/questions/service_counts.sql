-- Counts the loans or customers subject to each service rule, and those that break it.
-- grain: one row; four columns per rule, in the order of the rules
-- placeholders: facts (table expressions that end in "asked"); rule_states (one column per rule); counts (four columns
--   per rule)
-- columns: of each rule the rows subject to it, the breaches, the undecided rows, the balance of the breaches in CNY
with

{facts},

states as (
    select
        amount,
        {rule_states}
    from asked
)

select {counts}
from states
