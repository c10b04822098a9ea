-- Counts what a check of the books found, and sums its money.
-- grain: one row
-- columns: finding_count is the number of places; balance the sum in CNY, of each loan or customer only the last amount
with

last_amount as (
    select max_by(amount, day) as amount
    from book_finding
    group by id
)

select
    (select count(*) from book_finding) as finding_count,
    (select coalesce(sum(last_amount.amount), 0) from last_amount)::decimal(18, 2) as balance
