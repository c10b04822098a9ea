-- What the month's loans say of their borrowers.
-- grain: customer_key
select
    customer_key,
    (count(*) filter (where balance > 0))::smallint as loans_open,
    sum(balance)::decimal(15, 2) as loan_balance,
    max(days_past_due) filter (where balance > 0) as days_past_due,
    {worst},
    max(count_instalments_late) filter (where balance > 0) as count_instalments_late_in_a_row,
    sum(overdue_amount)::decimal(15, 2) as overdue_amount,
    sum(interest_received)::decimal(15, 2) as interest,
    sum(funding_cost)::decimal(15, 2) as funding_cost,
    sum(expected_loss)::decimal(15, 2) as expected_loss,
    sum(operating_cost)::decimal(15, 2) as operating_cost,
    bit_or(product_bit) as product_bits,
from {loans}
where has_row
group by customer_key
