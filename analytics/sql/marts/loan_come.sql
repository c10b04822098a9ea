-- Loans paid out in the month.
-- grain: loan_key
select {carried} from loan_coming where disbursed_on > :previous and disbursed_on <= :as_of
