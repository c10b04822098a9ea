-- Instalments due and not fully paid, payments allocated first in, first out over the schedule.
-- grain: loan_key, number
create or replace temp table instalment_next as
with

late as (
    select loan_key, paid_total, due_total_before, due_principal_total_before, is_recounted
    from loan_due
    -- A loan sold in the month earned interest up to the sale; that of a settled one is what came beyond its principal.
    where
        paid_total < due_total
        and closed_on is null
        and (ended_on is null or ended_on > :previous)
        and (is_recounted or not is_resting)
),

fallen_due as (
    select
        instalment.loan_key,
        instalment.number,
        instalment.due_on,
        instalment.principal,
        coalesce(instalment.interest, 0) as interest,
        late.paid_total,
        late.due_total_before + sum(instalment.principal + coalesce(instalment.interest, 0)) over schedule as due_total,
        late.due_principal_total_before + sum(instalment.principal) over schedule as due_principal_total,
    from due_now as instalment
    join late on late.loan_key = instalment.loan_key
    where not late.is_recounted
    window schedule as (partition by instalment.loan_key order by instalment.due_on, instalment.number)
),

still_open as (
    select
        open.loan_key,
        open.number,
        open.due_on,
        open.principal,
        open.interest,
        late.paid_total,
        open.due_total,
        open.due_principal_total,
    from instalment_now as open
    join late on late.loan_key = open.loan_key
    where not late.is_recounted
),

recounted as (
    select
        instalment.loan_key,
        instalment.number,
        instalment.due_on,
        instalment.principal,
        coalesce(instalment.interest, 0) as interest,
        late.paid_total,
        sum(instalment.principal + coalesce(instalment.interest, 0)) over schedule as due_total,
        sum(instalment.principal) over schedule as due_principal_total,
    from instalment
    join late on late.loan_key = instalment.loan_key
    where instalment.due_on <= :as_of and late.is_recounted
    window schedule as (partition by instalment.loan_key order by instalment.due_on, instalment.number)
),

candidates as (
    select * from fallen_due
    union all by name
    select * from still_open
    union all by name
    select * from recounted
)

select
    loan_key,
    number,
    due_on,
    principal,
    interest,
    due_total::decimal(15, 2) as due_total,
    due_principal_total::decimal(15, 2) as due_principal_total,
    greatest(paid_total - (due_total - principal - interest), 0)::decimal(15, 2) as paid,
from candidates
where due_total > paid_total;

drop table instalment_now;

alter table instalment_next rename to instalment_now
