"""Customers and loans: dense integer keys, stable across increments, and the stored rows."""

from __future__ import annotations

from data.contract.tables import stored_select
from data.errors import UserError
from data.loading.casting import cast
from data.loading.keys.duplicates import has_unique_key, resolve_duplicates
from data.loading.reconciliation import LoadCounts
from data.loading.sql_files import load_sql
from data.loading.validation import RowValidator, StagedTable


def load_customers(validator: RowValidator, staged: StagedTable) -> None:
    """Fill history.customer_number and history.customer.

    The view customer_ref (customer_id → customer_key) covers all parts.
    """
    counts = validator.counts_for(staged)
    valid_rows = validator.cast_rows(staged)
    resolve_duplicates(validator, staged, valid_rows)
    _assign_keys(validator, "customer", valid_rows, "v_customer_id as customer_id")
    registers = [*validator.older("customer_number"), "part.history.customer_number"]
    ids = " union all ".join(f"select customer_id, customer_key from {name}" for name in registers)
    validator.run(f"create or replace view customer_ref as {ids}", "customer: numbers")
    keyed_rows = (
        f"select valid.*, ref.customer_key as k_customer_id from {valid_rows} as valid "
        "join customer_ref as ref on ref.customer_id = valid.v_customer_id"
    )
    if _has_versions_in_older_parts(validator, keyed_rows):
        pairs = [("v_customer_id", "v_customer_id"), ("v_valid_from", "v_valid_from")]
        validator.reject_keys(staged, "in_older_parts_customer", "already_delivered", pairs)
        keyed_rows += (
            " where not exists (select 1 from in_older_parts_customer as old "
            "where old.v_customer_id = valid.v_customer_id "
            "and old.v_valid_from = valid.v_valid_from)"
        )
    validator.run(
        f"insert into part.history.customer by name select {stored_select(staged.table)} "
        f"from ({keyed_rows}) order by k_customer_id, v_valid_from",
        "customer: storing",
    )
    counts.loaded = validator.count("part.history.customer", "customer")
    _note_identity_numbers(validator, staged, counts, valid_rows)
    _note_unknown_codes(validator, staged, counts)


def _has_versions_in_older_parts(validator: RowValidator, keyed_rows: str) -> bool:
    """Fill in_older_parts_customer and return whether it has any row."""
    older = " union all ".join(
        f"select customer_key, valid_from from {table}" for table in validator.older("customer")
    )
    if not older:
        return False
    sql = load_sql("customers_in_older_parts", keyed_rows=f"({keyed_rows})", older=f"({older})")
    validator.run(sql, "customer: delivered before")
    return validator.count("in_older_parts_customer", "customer") > 0


def _assign_keys(validator: RowValidator, table: str, valid_rows: str, identifiers: str) -> None:
    older = validator.older(f"{table}_number")
    last_keys = " union all ".join(f"select max({table}_key) as last from {name}" for name in older)
    conditions = [
        f"not exists (select 1 from {name} as old where old.{table}_id = valid.v_{table}_id)"
        for name in older
    ]
    sql = load_sql(
        "surrogate_keys",
        table=table,
        identifiers=identifiers,
        valid_rows=valid_rows,
        is_new=" and ".join(conditions) or "true",
        last_keys=f"({last_keys or 'select 0 as last'})",
    )
    validator.run(sql, f"{table}: keys")


def _note_identity_numbers(
    validator: RowValidator, staged: StagedTable, counts: LoadCounts, valid_rows: str
) -> None:
    """Note wrong check digits, shared and changed identity numbers; people decide about them."""
    if "id_number" not in staged.families:
        return
    wrong = validator.one(
        f"select count(*) from {valid_rows} "
        "where regexp_full_match(v_id_number, '[0-9]{17}[0-9X]') and not id_is_sound(v_id_number)",
        "customer: check digits",
    )[0]
    counts.note("id_checksum", wrong)
    shared = validator.one(
        "select count(*) from ("
        "select id_number_hash from part.history.customer where id_number_hash is not null "
        "group by 1 having min(customer_key) <> max(customer_key))",
        "customer: shared identity numbers",
    )[0]
    counts.note("same_id_two_customers", shared)
    for older in validator.older("customer"):
        changed = validator.one(
            f"select count(distinct old.customer_key) from {older} as old "
            "join part.history.customer as new "
            "on new.customer_key = old.customer_key and new.id_number_hash <> old.id_number_hash",
            "customer: changed identity numbers",
        )[0]
        counts.note("identity_changed", changed)


def _note_unknown_codes(validator: RowValidator, staged: StagedTable, counts: LoadCounts) -> None:
    """Note how many values of each code column are not in the contract."""
    codes = [
        column
        for column in staged.table.columns.values()
        if column.type == "code" and column.name in staged.families
    ]
    if not codes:
        return
    others = ", ".join(f"count(*) filter ({column.name} = 'other')" for column in codes)
    values = validator.one(
        f"select {others} from part.history.{staged.table.name}", f"{staged.table.name}: codes"
    )
    for column, count in zip(codes, values, strict=True):
        if count:
            declared_other = validator.one(
                f"select count(*) from {staged.name} "
                f"where lower(clean(\"{column.name}\")) = 'other'",
                f"{staged.table.name}: codes",
            )[0]
            counts.note("unknown_code", max(0, count - declared_other), column=column.name)


def load_loans(validator: RowValidator, staged: StagedTable) -> None:
    """Fill history.loan_number and history.loan.

    The relation loan_ref (loan_id → loan_key, customer_key, disbursed_on) covers all parts.

    Raises
    ------
    UserError
        When a loan number occurs twice.
    """
    counts = validator.counts_for(staged)
    valid_rows = validator.cast_rows(staged)
    _require_unique_loans(validator, staged)
    _assign_keys(
        validator,
        "loan",
        valid_rows,
        "v_loan_id as loan_id, any_value(k_customer_id) as customer_key",
    )
    _create_loan_ref(validator, valid_rows)
    sql = load_sql("loans", stored=stored_select(staged.table), valid_rows=valid_rows)
    validator.run(sql, "loan: storing")
    loaded, unknown_rollovers = validator.one(
        "select (select count(*) from part.history.loan), "
        "(select count(*) from rollover_name where loan_key is null)",
        "loan",
    )
    counts.loaded = loaded
    counts.note("unknown_rollover", unknown_rollovers)
    _note_unknown_codes(validator, staged, counts)


def _create_loan_ref(validator: RowValidator, valid_rows: str) -> None:
    selects = [
        f"select loan_id, loan_key, customer_key, null::date as disbursed_on from {register}"
        for register in validator.older("loan_number")
    ]
    selects.append(
        "select register.loan_id, register.loan_key, register.customer_key, "
        "valid.v_disbursed_on as disbursed_on from part.history.loan_number as register "
        f"join {valid_rows} as valid on valid.v_loan_id = register.loan_id"
    )
    relation = "view" if validator.session.older else "table"
    query = " union all ".join(selects)
    validator.run(f"create or replace {relation} loan_ref as {query}", "loan: numbers")


def _require_unique_loans(validator: RowValidator, staged: StagedTable) -> None:
    loan_id = cast(staged.table.columns["loan_id"], staged.families["loan_id"]).tidy
    readable = f"(select * from {staged.name} where problem is null)"
    if has_unique_key(validator, readable, loan_id, "loan"):
        return
    count, file, line = validator.one(
        load_sql("repeated_loans", loan_id=loan_id, staged=staged.name), "loan: repeated keys"
    )
    if count:
        raise UserError("loan_duplicate", count=count, file=file, line=line)
