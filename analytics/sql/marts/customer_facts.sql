-- What each customer's attributes, loans, deposits and fees say at the month end, before any class of the day.
-- grain: customer_key
-- Days past due are those at month ends. Twelve-month sums are last month's plus this month less the month a year ago.
create or replace temp table customer_facts as
with

borrowed as (
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
),

first_loan as (
    select customer_key, min(disbursed_on) as first_loan_on, count(*)::smallint as loans_new,
    from loan_start
    where disbursed_on <= :as_of and (disbursed_on > :previous or (:is_first and is_new_key))
    group by customer_key
),

-- Loans settled before the first month of a load never had a row; the others settle in the month that sees it.
ended as (
    select customer_key, count(*)::smallint as loans_ended,
    from (
        select customer_key from {loans} where is_settled and has_row
        union all
        select customer_key from loan_start
        where :is_first and is_new_key and closes_on <= :previous and writes_off_on is null
    )
    group by customer_key
),

-- A service counts as held while it brought income within twelve months. A late booking counts as income of the month that
-- learns of it.
earned as (
    select
        customer_key,
        (sum(amount) filter (where booked_on > :since_month))::decimal(15, 2) as fees,
        {services},
    from part.kept.income
    where booked_on > :since and booked_on <= :as_of
    group by customer_key
),

-- Signals raised in the last three months; without the table nothing is known of them.
warned as (
    select
        customer_key,
        {signals}
    from signal
    where raised_on > :judged_after and raised_on <= :as_of
    group by customer_key
),

saved as (
    select customer_key, balance as deposit_balance, from deposit_balance where as_of = :as_of
),

late as (
    select
        customer_key,
        max(days_past_due) as max_12m,
        count(*) as months_12m,
        max(days_past_due) filter (where as_of > :half_year_before) as max_6m,
        count(*) filter (where as_of > :half_year_before) as months_6m,
    from late_month
    where as_of > :year_before
    group by customer_key
),

-- A settlement is judged for a window of W days when they are over; the judgement stands for three months.
judged as (
    select
        customer_key,
        settled_on,
        next_disbursed_on - settled_on as days_until_next,
        settled_on + 30 between :judged_from and :as_of as is_30,
        settled_on + 90 between :judged_from and :as_of as is_90,
        settled_on + 180 between :judged_from and :as_of as is_180,
        settled_on + 365 between :judged_from and :as_of as is_365,
    from part.head.settlement
    where settled_on > :judged_from - 366 and settled_on <= :as_of
),

settled as (
    select
        customer_key,
        bit_or(
            case when is_30 then 1 else 0 end
            | case when is_90 then 2 else 0 end
            | case when is_180 then 4 else 0 end
            | case when is_365 then 8 else 0 end
            | case when is_30 and days_until_next <= 30 then 16 else 0 end
            | case when is_90 and days_until_next <= 90 then 32 else 0 end
            | case when is_180 and days_until_next <= 180 then 64 else 0 end
            | case when is_365 and days_until_next <= 365 then 128 else 0 end
        )::utinyint as reloan_bits,
    from judged
    group by customer_key
),

-- What few customers have, in one relation: one join over all customers instead of five.
happened as (
    select
        customer_key,
        max(first_loan_on) as first_loan_on,
        max(loans_new) as loans_new,
        max(loans_ended) as loans_ended,
        max(reloan_bits) as reloan_bits,
        max(max_12m) as max_12m,
        max(months_12m) as months_12m,
        max(max_6m) as max_6m,
        max(months_6m) as months_6m,
        {warned},
    from (
        select * from first_loan
        union all by name
        select * from ended
        union all by name
        select * from warned
        union all by name
        select * from late
        union all by name
        select * from settled
    )
    group by customer_key
),

gathered as (
    select
        {kept},
        {histories},
        {service_ages} as service_ages,
        coalesce(borrowed.loans_open, 0) as loans_open,
        coalesce(borrowed.loan_balance, 0) as loan_balance,
        -- Unknown where no loan with a balance has known days.
        case when borrowed.loans_open > 0 then borrowed.days_past_due else 0 end as days_past_due,
        {worst_of},
        coalesce(borrowed.count_instalments_late_in_a_row, 0)::smallint as count_instalments_late_in_a_row,
        coalesce(borrowed.overdue_amount, 0) as overdue_amount,
        least(attribute.first_loan_on, happened.first_loan_on) as first_loan_on,
        (coalesce(attribute.loans_ever, 0) + coalesce(happened.loans_new, 0))::smallint as loans_ever,
        (coalesce(attribute.loans_settled, 0) + coalesce(happened.loans_ended, 0))::smallint as loans_settled,
        coalesce(saved.deposit_balance, case when :has_deposits then 0 end)::decimal(15, 2) as deposit_balance,
        bit_count(coalesce(borrowed.product_bits, 0)) + case when saved.deposit_balance > 0 then 1 else 0 end
            as products_lent_or_saved,
        greatest(coalesce(happened.max_12m, 0), coalesce(borrowed.days_past_due, 0))::integer as max_days_past_due_12m,
        greatest(coalesce(happened.max_6m, 0), coalesce(borrowed.days_past_due, 0))::integer as max_days_past_due_6m,
        (coalesce(happened.months_12m, 0) + case when borrowed.days_past_due > 0 then 1 else 0 end)::utinyint
            as months_past_due_12m,
        (coalesce(happened.months_6m, 0) + case when borrowed.days_past_due > 0 then 1 else 0 end)::utinyint
            as months_past_due_6m,
        coalesce(borrowed.interest, 0) as interest,
        coalesce(earned.fees, 0) as fees,
        round(coalesce(saved.deposit_balance, 0)::double * :deposit_margin / 12 + 5e-10, 2)::decimal(15, 2) as margin,
        coalesce(borrowed.funding_cost, 0) as funding_cost,
        coalesce(borrowed.expected_loss, 0) as expected_loss,
        (
            coalesce(borrowed.operating_cost, 0)
            + case when saved.deposit_balance > 0 then :operating_cost_deposit else 0 end
        )::decimal(15, 2) as operating_cost,
        coalesce(attribute.interest_12m, 0) - coalesce(year_ago.interest, 0) as interest_11m,
        coalesce(attribute.fees_12m, 0) - coalesce(year_ago.fees, 0) as fees_11m,
        coalesce(attribute.margin_12m, 0) - coalesce(year_ago.margin, 0) as margin_11m,
        coalesce(attribute.funding_cost_12m, 0) - coalesce(year_ago.funding_cost, 0) as funding_cost_11m,
        coalesce(attribute.expected_loss_12m, 0) - coalesce(year_ago.expected_loss, 0) as expected_loss_11m,
        coalesce(attribute.operating_cost_12m, 0) - coalesce(year_ago.operating_cost, 0) as operating_cost_11m,
        {signals_known}
        coalesce(happened.reloan_bits, 0)::utinyint as reloan_bits,
    from customer_now as attribute
    left join customer_month as one on one.customer_key = attribute.customer_key and one.as_of = :previous
    left join customer_month as year_ago on year_ago.customer_key = attribute.customer_key and year_ago.as_of = :year_before
    left join borrowed on borrowed.customer_key = attribute.customer_key
    left join earned on earned.customer_key = attribute.customer_key
    left join happened on happened.customer_key = attribute.customer_key
    left join saved on saved.customer_key = attribute.customer_key
)

select
    * exclude (
        products_lent_or_saved, interest_11m, fees_11m, margin_11m, funding_cost_11m, expected_loss_11m,
        operating_cost_11m
    ),
    (products_lent_or_saved + {services_held})::utinyint as products_held,
    (interest_11m + interest)::decimal(15, 2) as interest_12m,
    (fees_11m + fees)::decimal(15, 2) as fees_12m,
    (margin_11m + margin)::decimal(15, 2) as margin_12m,
    (funding_cost_11m + funding_cost)::decimal(15, 2) as funding_cost_12m,
    (expected_loss_11m + expected_loss)::decimal(15, 2) as expected_loss_12m,
    (operating_cost_11m + operating_cost)::decimal(15, 2) as operating_cost_12m,
from gathered
