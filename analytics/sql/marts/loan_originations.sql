-- Selects the loans disbursed in the month.
-- grain: one row per loan (loan_key)
-- parameters: as_of (month end); previous (month end before it)
-- placeholders: state_columns (columns of the loan state, loan_state.sql)
select {state_columns} from loan_future where disbursed_on > $previous and disbursed_on <= $as_of
