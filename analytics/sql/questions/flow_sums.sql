-- Loans and amount of each term of the overdue stock, and of the stocks themselves. grain: term
select term, count(*) as loans, count(distinct customer_key) as customers, sum(amount) as amount,
from (
    select
        term,
        customer_key,
        case
            when term = 'stayed' then balance - balance_before
            when after = 'late' then balance
            else -balance_before
        end as amount,
    from termed
    union all
    select 'opening', customer_key, balance_before, from termed where before = 'late'
    union all
    select 'closing', customer_key, balance, from termed where after = 'late'
)
group by term
