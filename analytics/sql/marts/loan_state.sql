-- Creates the empty tables that carry the state from one month to the next within a load.
-- grain: loan_previous has one row per loan (loan_key), instalment_previous one per open instalment (loan_key, number)
-- placeholders: channel (enum type of the column); guarantee (enum type of the column); loan_histories (one
--   column history_SCHEME per scheme of the boards)
-- At the end of a load the state is stored in schema current, from which the next load continues. Amounts are in CNY.

-- grain: one row per loan (loan_key). closes_on, ends_on, writes_off_on and restructures_on are dates of the source,
-- future ones included; the other columns are those of the previous month. history_… holds the classes of the twelve
-- previous months, four bits each, the newest in the lowest bits.
create or replace temp table loan_previous (
    loan_key integer,
    customer_key integer,
    product_key smallint,
    branch_key smallint,
    manager_key integer,
    channel {channel},
    guarantee {guarantee},
    principal decimal(15, 2),
    rate decimal(9, 6),
    funding_rate decimal(9, 6),
    term_months integer,
    disbursed_on date,
    matures_on date,
    closes_on date,
    ends_on date,
    writes_off_on date,
    restructures_on date,
    is_rollover boolean,
    is_scheduled boolean,
    first_instalment_on date,
    has_row boolean,
    closed_on date,
    ended_on date,
    written_off_on date,
    first_due_on date,
    oldest_due_on date,
    due_total decimal(15, 2),
    due_principal_total decimal(15, 2),
    paid_total decimal(15, 2),
    prepaid_total decimal(15, 2),
    interest_total decimal(15, 2),
    balance decimal(15, 2),
    balance_written_off decimal(15, 2),
    count_instalments_late smallint,
    is_first_payment_missed boolean,
    {loan_histories}
);

-- grain: one row per instalment due and not fully paid (loan_key, number). due_total is the sum due up to and including
-- this instalment.
create or replace temp table instalment_previous (
    loan_key integer,
    number integer,
    due_on date,
    principal decimal(15, 2),
    interest decimal(15, 2),
    due_total decimal(15, 2),
    due_principal_total decimal(15, 2),
    paid decimal(15, 2)
);
