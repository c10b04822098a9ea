-- Sums each term of the overdue bridge and its two stocks; follows the table expression "termed".
-- grain: one row per term (term); opening and closing are the stocks
-- columns: amount in CNY, an exact decimal, with the sign with which it enters the closing stock
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
    select 'opening' as term, customer_key, balance_before as amount, from termed where before = 'late'
    union all
    select 'closing' as term, customer_key, balance as amount, from termed where after = 'late'
)
group by term
