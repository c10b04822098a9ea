-- The marts. Small codes and flags of a row stand together in one integer (analytics/marts/bit_packing.py); they, and facts that follow
-- from others of the row, are not written but derived where read. Class columns come from the rulebooks: one per scheme for
-- the day, for the schemes of the boards also 1, 3 and 12 months before.

-- grain: as_of, loan_key. interest_received, disbursed and is_new are of the month.
create table part.kept.loan_month (
    as_of date,
    loan_key integer,
    customer_key integer,
    product_key smallint,
    branch_key smallint,
    manager_key integer,
    {loan_month},
    principal decimal(15, 2),
    rate decimal(9, 6),
    term_months integer,
    disbursed_on date,
    matures_on date,
    closed_on date,
    ended_on date,
    written_off_on date,
    restructured_on date,
    balance decimal(15, 2),
    balance_before decimal(15, 2),
    balance_written_off decimal(15, 2),
    overdue_amount decimal(15, 2),
    days_past_due integer,
    interest_received decimal(15, 2),
    provision decimal(15, 2),
);

-- grain: as_of, customer_key. Amounts without _12m are of the month.
create table part.kept.customer_month (
    as_of date,
    customer_key integer,
    branch_key smallint,
    manager_key integer,
    account_type varchar,
    age utinyint,
    {customer_month},
    first_loan_on date,
    loan_balance decimal(15, 2),
    overdue_amount decimal(15, 2),
    days_past_due integer,
    deposit_balance decimal(15, 2),
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
    operating_cost_12m decimal(15, 2),
);

-- grain: scheme, effective_on. The rulebooks that graded this part, as they were read.
create table part.head.rulebook (
    scheme varchar,
    effective_on date,
    digest varchar,
    text varchar,
);

-- grain: scheme, code. The numbers by which the histories of classes of this part are written.
create table part.head.history_code (
    scheme varchar,
    code utinyint,
    class varchar,
);

-- grain: table_name, column_name. Columns of the views that follow from the tables' own; see data/editions/connection.py.
create table part.head.derived (
    table_name varchar,
    number integer,
    column_name varchar,
    expression varchar,
);

insert into part.head.derived values
    ('loan_month', 1001, 'disbursed', 'case when is_new then principal else 0 end'),
    ('loan_month', 1002, 'months_on_book', 'date_diff(''month'', disbursed_on, as_of)::smallint'),
    ('loan_month', 1003, 'borrower_told', 'true'),
    ('customer_month', 1001, 'has_loan', 'loan_balance > 0'),
    ('customer_month', 1002, 'is_new_borrower', 'first_loan_on >= date_trunc(''month'', as_of)'),
    ('customer_month', 1003, 'is_lost', 'is_settled_90 and not is_reloaned_90 and products_held = 0'),
    ('customer_month', 1004, 'months_since_first_loan', 'date_sub(''month'', first_loan_on, as_of)::smallint'),
    ('customer_month', 1005, 'contribution_gross_12m', '(interest_12m + fees_12m + margin_12m)::decimal(15, 2)'),
    (
        'customer_month', 1006, 'contribution_net_12m',
        '(interest_12m + fees_12m + margin_12m - funding_cost_12m - expected_loss_12m - operating_cost_12m)::decimal(15, 2)'
    )
