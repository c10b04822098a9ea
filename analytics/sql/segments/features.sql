-- Computes the features of each customer: behaviour in the twelve months to a month end, the input of the segments.
-- grain: one row per customer of the month end (customer_key)
-- parameters: as_of (month end); year_before (month end twelve months before); half_year_before (month end six months
--   before); has_deposits (whether deposit balances are delivered); has_fees (whether income is delivered)
-- columns: loan_balance, loan_size, deposits and fees in CNY; term and tenure in months; months_with_loan, limit_use,
--   unsecured, paid_early, paid_on_time, months_with_deposit, deposit_share as shares of one; a feature that does not
--   apply (how a customer without a loan pays) is null
-- Days past due and classes are left out on purpose. Amounts are summed as decimals: sums of doubles depend on the
-- order in which threads read the rows. Payments are timed only in months that ended without arrears, so that the
-- features of payments do not reveal arrears.
with

held as (
    select
        customer_key,
        count(*) as months,
        count(*) filter (where has_loan) as loan_months,
        sum(loans_open) as loans,
        sum(loan_balance)::double as loan_balance,
    from customer_month
    where as_of > $year_before and as_of <= $as_of
    group by customer_key
),

today as (
    select customer_key, products_held, has_payroll,
    from customer_month
    where as_of = $as_of
),

lending as (
    select
        loan.customer_key,
        product.family,
        loan.channel,
        sum(loan.balance) as balance,
        sum(loan.principal) as principal,
        sum(loan.principal) filter (where loan.guarantee = 'credit') as principal_unsecured,
        sum(loan.term_months) as term_months,
        count(*) as loan_months,
        count(*) filter (where loan.is_new) as loans_new,
    from loan_month as loan
    left join product on product.product_key = loan.product_key
    where loan.as_of > $year_before and loan.as_of <= $as_of and (loan.balance > 0 or loan.is_new)
    group by loan.customer_key, product.family, loan.channel
),

borrowed as (
    select
        customer_key,
        sum(balance)::double as balance,
        sum(principal)::double as principal,
        sum(principal_unsecured)::double as principal_unsecured,
        sum(term_months) as term_months,
        sum(loan_months) as loan_months,
        sum(loans_new) as loans_new,
        arg_max(family::varchar, (principal, family::varchar)) as family,
        arg_max(channel::varchar, (principal, channel::varchar)) as channel,
    from lending
    group by customer_key
),

in_order as (
    select as_of, loan_key, customer_key,
    from loan_month
    where as_of > $year_before and as_of <= $as_of and days_past_due = 0
),

fell_due as (
    select loan_key, last_day(due_on) as as_of, min(due_on) as due_on,
    from instalment
    where due_on > $year_before and due_on <= $as_of
    group by loan_key, last_day(due_on)
),

came as (
    select loan_key, last_day(paid_on) as as_of, max(paid_on) as paid_on, count(*) as payments,
    from payment
    where paid_on > $year_before and paid_on <= $as_of and kind is distinct from 'reversal' and amount > 0
    group by loan_key, last_day(paid_on)
),

timed as (
    select
        in_order.customer_key,
        count(*) as paid,
        count(*) filter (where came.paid_on < fell_due.due_on) as paid_early,
        count(*) filter (where came.paid_on <= fell_due.due_on) as paid_on_time,
        sum(came.payments) as payments,
    from fell_due
    join came on came.loan_key = fell_due.loan_key and came.as_of = fell_due.as_of
    join in_order on in_order.loan_key = fell_due.loan_key and in_order.as_of = fell_due.as_of
    group by in_order.customer_key
),

saved as (
    select
        customer_key,
        count(*) filter (where balance > 0) as deposit_months,
        sum(balance)::double as deposits,
        sum(balance * balance)::double as squares,
        count(*) as deposit_rows,
        sum(balance) filter (where as_of > $half_year_before)::double as deposits_late,
        sum(balance) filter (where as_of <= $half_year_before)::double as deposits_early,
        count(*) filter (where balance > 0 and as_of > $half_year_before) as months_late,
        count(*) filter (where balance > 0 and as_of <= $half_year_before) as months_early,
    from deposit_balance
    where as_of > $year_before and as_of <= $as_of
    group by customer_key
),

earned as (
    select customer_key, kind, sum(amount) as amount, count(*) as times,
    from income
    where booked_on > $year_before and booked_on <= $as_of
    group by customer_key, kind
),

served as (
    select
        customer_key,
        sum(amount)::double as fees,
        sum(times) as fee_times,
        arg_max(kind::varchar, (amount, kind::varchar)) as fee_kind,
    from earned
    group by customer_key
),

known as (
    select customer_key, arg_max(since_on, valid_from) as since_on, arg_max(has_stable_income, valid_from) as stable,
    from customer
    where valid_from <= $as_of
    group by customer_key
)

select
    today.customer_key,
    held.loan_months / held.months as months_with_loan,
    held.loans / held.months as loans_open,
    held.loan_balance / held.months as loan_balance,
    borrowed.principal / borrowed.loan_months as loan_size,
    borrowed.balance / nullif(borrowed.principal, 0) as limit_use,
    borrowed.term_months / borrowed.loan_months as term,
    coalesce(borrowed.principal_unsecured, 0) / nullif(borrowed.principal, 0) as unsecured,
    coalesce(borrowed.loans_new, 0)::double as loans_new,
    coalesce(borrowed.family, 'none') as family,
    coalesce(borrowed.channel, 'none') as channel,
    timed.paid_early / timed.paid as paid_early,
    timed.paid_on_time / timed.paid as paid_on_time,
    timed.payments / timed.paid as payments_each,
    case when $has_deposits then coalesce(saved.deposit_months, 0) / held.months end as months_with_deposit,
    case when $has_deposits then coalesce(saved.deposits, 0) / held.months end as deposits,
    case
        when saved.months_late > 0 and saved.months_early > 0
            then (saved.deposits_late / saved.months_late) / nullif(saved.deposits_early / saved.months_early, 0) - 1
    end as deposit_trend,
    -- Standard deviation ÷ mean, from the sums: √(n·Σx² − (Σx)²) ÷ Σx.
    case
        when saved.deposit_months >= 6
            then
                sqrt(greatest(saved.deposit_rows * saved.squares - saved.deposits * saved.deposits, 0))
                / saved.deposits
    end as deposit_swing,
    case
        when $has_deposits
            then coalesce(saved.deposits, 0) / nullif(coalesce(saved.deposits, 0) + held.loan_balance, 0)
    end as deposit_share,
    case when $has_fees then coalesce(served.fees, 0) end as fees,
    case when $has_fees then coalesce(served.fee_times, 0)::double end as fee_times,
    case when $has_fees then coalesce(served.fee_kind, 'none') end as fee_kind,
    today.products_held::double as products_held,
    date_diff('month', known.since_on, cast($as_of as date))::double as tenure,
    today.has_payroll::double as payroll,
    known.stable::double as stable_income,
from today
join held on held.customer_key = today.customer_key
left join borrowed on borrowed.customer_key = today.customer_key
left join timed on timed.customer_key = today.customer_key
left join saved on saved.customer_key = today.customer_key
left join served on served.customer_key = today.customer_key
left join known on known.customer_key = today.customer_key
order by today.customer_key
