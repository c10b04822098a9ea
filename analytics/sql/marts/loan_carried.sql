-- What the next month needs of each loan. A bank without events keeps all its loans: only the month's rows have a state.
-- grain: loan_key
create or replace temp table loan_next as
select
    known.* exclude (has_row, balance, closed_on, ended_on, written_off_on, balance_written_off, {histories}),
    month.loan_key is not null as has_row,
    month.balance,
    month.closed_on,
    month.ended_on,
    month.written_off_on,
    month.balance_written_off,
    {shifted},
from (select {carried} from loan_now) as known
left join {made} as month on month.loan_key = known.loan_key;

drop table loan_now;

alter table loan_next rename to loan_now
