-- Lists rates that cannot be shares of one a year, where they are more than half of the rates of a column.
-- grain: one row per loan and column of rates (id, value)
-- columns: day is the day of lending; value the column and its rate, amount the principal in CNY
-- Above 0.5 a rate is per cent; below 0.01 the rate of a loan is that of a month or a day.
with

rate_value as (
    select loan_key, disbursed_on, principal, 'rate' as name, rate, 0.01 as lowest
    from part.history.loan
    where rate > 0
    union all
    select loan_key, disbursed_on, principal, 'funding_rate' as name, funding_rate as rate, 0 as lowest
    from part.history.loan
    where funding_rate > 0
),

examined as (
    select
        *,
        case when rate > 0.5 then 'above' when rate < lowest then 'below' end as side,
        count(*) over (partition by name, side) * 2 > count(*) over (partition by name) as is_most,
    from rate_value
)

select
    loan_number.loan_id as id,
    examined.disbursed_on as day,
    examined.name || ' ' || rtrim(rtrim(examined.rate::varchar, '0'), '.') as value,
    examined.principal as amount,
from examined
join loan_number on loan_number.loan_key = examined.loan_key
where examined.side is not null and examined.is_most
