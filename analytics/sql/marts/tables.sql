-- Creates the empty marts, the tables that describe them, and the computed columns of their views.
-- grain: see each table below
-- placeholders: loan_month (packed columns of loan_month); customer_month (packed columns of customer_month)
-- Small codes and flags of a row are packed into one integer (analytics/marts/bit_packing.py). These, and facts that
-- follow from other columns of the row, are not stored but computed by the views. Class columns come from the
-- rulebooks: one per scheme for the month end, for the schemes of the boards also for 1, 3 and 12 months before.
-- Amounts are in CNY.

-- grain: one row per loan on the books and month end (as_of, loan_key). A loan has rows up to the month in which it
-- ends, and until three months after the assessment of its first payment. interest_received, disbursed and is_new are
-- of the month.
create table part.history.loan_month (
    as_of date,
    loan_key integer,
    customer_key integer,
    product_key smallint,
    branch_key smallint,
    manager_key integer,
    {loan_month},
    principal decimal(15, 2),
    rate decimal(9, 6), -- share of one per year
    term_months integer,
    disbursed_on date,
    matures_on date,
    closed_on date, -- this and the next three: null until the day has come
    ended_on date, -- the earlier of settlement and sale
    written_off_on date,
    restructured_on date,
    balance decimal(15, 2), -- principal owed; 0 once ended or written off
    balance_before decimal(15, 2), -- balance of the previous month end; null without a row then
    balance_written_off decimal(15, 2), -- principal still owed on a loan written off
    overdue_amount decimal(15, 2), -- principal and interest due before the month end and not paid; null if unknown
    days_past_due integer, -- of the oldest instalment not fully paid; null if unknown
    interest_received decimal(15, 2), -- null if unknown
    provision decimal(15, 2) -- null where the class has no provision rate
);

-- grain: one row per customer and month end (as_of, customer_key). Flows (interest to operating_cost) are of the month,
-- with the suffix _12m they are sums of the last twelve months.
create table part.history.customer_month (
    as_of date,
    customer_key integer,
    branch_key smallint,
    manager_key integer,
    account_type varchar,
    age utinyint, -- completed years; null without a date of birth
    {customer_month},
    first_loan_on date, -- null for a customer who never borrowed
    loan_balance decimal(15, 2),
    overdue_amount decimal(15, 2),
    days_past_due integer, -- the highest among loans with a balance; 0 without such a loan, null if unknown
    deposit_balance decimal(15, 2), -- null if deposits are not delivered
    interest decimal(15, 2),
    fees decimal(15, 2),
    margin decimal(15, 2),
    funding_cost decimal(15, 2),
    expected_loss decimal(15, 2),
    operating_cost decimal(15, 2),
    interest_12m decimal(15, 2),
    fees_12m decimal(15, 2),
    margin_12m decimal(15, 2),
    funding_cost_12m decimal(15, 2),
    expected_loss_12m decimal(15, 2),
    operating_cost_12m decimal(15, 2)
);

-- grain: one row per edition of a rulebook (scheme, effective_on): the texts that graded this part.
create table part.current.rulebook (
    scheme varchar,
    effective_on date,
    digest varchar,
    text varchar
);

-- grain: one row per class of a scheme (scheme, code): the numbers that encode class histories in this part.
create table part.current.history_code (
    scheme varchar,
    code utinyint,
    class varchar
);

-- grain: one row per computed column of a view (table_name, column_name); data/editions/connection.py adds them, in the
-- order of number.
create table part.current.computed_columns (
    table_name varchar,
    number integer,
    column_name varchar,
    expression varchar
);

-- noqa: disable=LT02
insert into part.current.computed_columns values
    ('loan_month', 1001, 'disbursed', 'case when is_new then principal else 0 end'),
    ('loan_month', 1002, 'months_on_book', 'date_diff(''month'', disbursed_on, as_of)::smallint'),
    ('loan_month', 1003, 'has_borrower_columns', 'true'),
    ('customer_month', 1001, 'has_loan', 'loan_balance > 0'),
    ('customer_month', 1003, 'is_lost', 'is_settled_90 and not is_reloaned_90 and products_held = 0'),
    ('customer_month', 1004, 'months_since_first_loan', 'date_sub(''month'', first_loan_on, as_of)::smallint'),
    ('customer_month', 1005, 'contribution_gross_12m', '(interest_12m + fees_12m + margin_12m)::decimal(15, 2)'),
    (
        'customer_month', 1006, 'contribution_net_12m',
        '(interest_12m + fees_12m + margin_12m - funding_cost_12m - expected_loss_12m - operating_cost_12m)::decimal(15, 2)' -- noqa: LT05
    )
