-- Migration rates of the five-category classification. grain: rate
-- 商业银行风险监管核心指标 (2005) and its definitions: moved down ÷ (opening − decrease), by balance. What moved down counts at its
-- closing balance; the decrease is what was collected, written off or sold of the loans of the opening class.
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
        values
            ('normal_loans', 'normal', ['substandard', 'doubtful', 'loss']),
            ('normal_loans', 'special_mention', ['substandard', 'doubtful', 'loss']),
            ('normal', 'normal', ['special_mention', 'substandard', 'doubtful', 'loss']),
            ('special_mention', 'special_mention', ['substandard', 'doubtful', 'loss']),
            ('substandard', 'substandard', ['doubtful', 'loss']),
            ('doubtful', 'doubtful', ['loss'])
    ) as variant (rate, opening_class, worse)
        on variant.opening_class = moved.before
    where moved.was_in
)
group by rate
