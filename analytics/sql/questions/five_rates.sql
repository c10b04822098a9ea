-- Computes the migration rates of the five-category classification; follows the table expression "moved".
-- grain: one row per rate (rate)
-- columns: n is the number of loans in the opening classes; opening, decrease, numerator and denominator in CNY;
--   value is a share of one, null where the denominator is 0
-- Source: 商业银行风险监管核心指标 (2005) and its definitions: moved down ÷ (opening − decrease), by balance.
-- A loan that moved down counts with its closing balance; the decrease is what was repaid, written off or sold.
select
    rate,
    count(*) as n,
    cast(sum(balance_before) as double) as opening,
    cast(sum(greatest(balance_before - balance, 0)) as double) as decrease,
    cast(coalesce(sum(balance) filter (where is_in and list_contains(worse, after)), 0) as double) as numerator,
    cast(sum(balance_before - greatest(balance_before - balance, 0)) as double) as denominator,
    numerator / nullif(denominator, 0) as value,
from (
    select moved.*, variant.rate, variant.worse,
    from moved
    join (
        -- noqa: disable=LT02
        values
            ('normal_loans', 'normal', ['substandard', 'doubtful', 'loss']),
            ('normal_loans', 'special_mention', ['substandard', 'doubtful', 'loss']),
            ('normal', 'normal', ['special_mention', 'substandard', 'doubtful', 'loss']),
            ('special_mention', 'special_mention', ['substandard', 'doubtful', 'loss']),
            ('substandard', 'substandard', ['doubtful', 'loss']),
            ('doubtful', 'doubtful', ['loss'])
        -- noqa: enable=LT02
    ) as variant (rate, opening_class, worse)
        on variant.opening_class = moved.before
    where moved.was_in
)
group by rate
