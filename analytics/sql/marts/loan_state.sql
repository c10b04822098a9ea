-- What the months of a load hand from one to the next, empty. At the end of a load it is kept in schema head, from where the
-- next load goes on.

-- grain: loan_key. closes_on, ends_on … are dates as the source knows them, later ones too; the rest is that of the month
-- before. history_… holds the classes of the twelve months before, four bits each, the newest lowest.
create or replace temp table loan_now (
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
    starts_due_on date,
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
    {loan_histories},
);

-- grain: loan_key, number. Instalments due and not fully paid; due_total is the sum due up to and with this one.
create or replace temp table instalment_now (
    loan_key integer,
    number integer,
    due_on date,
    principal decimal(15, 2),
    interest decimal(15, 2),
    due_total decimal(15, 2),
    due_principal_total decimal(15, 2),
    paid decimal(15, 2),
);
