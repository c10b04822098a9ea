"""Events and month-end facts: a fast path for typed rows, validation for all others."""

from __future__ import annotations

from data.contract.schema import Column, Table
from data.contract.tables import (
    EVENT_DATE,
    PLAIN_TYPES,
    VERSIONED_TABLES,
    stored_columns,
    stored_name,
    stored_select,
)
from data.loading.casting import (
    NATIVE_FAMILY,
    NOT_AFTER_AS_OF,
    NOT_BEFORE_DISBURSEMENT,
    ONLY_NEW,
    exact_code,
)
from data.loading.keys.duplicates import delete_keys, resolve_stored_duplicates
from data.loading.sql_files import load_sql
from data.loading.validation import KeyPairs, RowValidator, StagedTable

TYPED_PATH_TYPES = (
    "key",
    "date",
    "month",
    "time",
    "money",
    "rate",
    "int",
    "number",
    "bool",
    "code",
)


def load_events(validator: RowValidator, staged: StagedTable) -> None:
    """Fill history.<table> with the valid rows by date, each key once; reject the others."""
    remaining: StagedTable | None = staged
    if _is_typed(staged):
        _load_typed(validator, staged)
        remaining = None
        if _stored_rows(validator, staged) < staged.rows:
            remaining = _remaining_rows(validator, staged)
    if remaining:
        _load_validated(validator, staged, remaining)
    content = [column.name for column in stored_columns(staged.table)]
    resolve_stored_duplicates(validator, staged, _key_pairs(staged), content)
    _reject_already_loaded(validator, staged)
    validator.counts_for(staged).loaded = _stored_rows(validator, staged)


def _stored_rows(validator: RowValidator, staged: StagedTable) -> int:
    return validator.count(f"part.history.{staged.table.name}", staged.table.name)


def _is_typed(staged: StagedTable) -> bool:
    """Return whether all columns have the contract's types and no required one is missing."""
    columns = staged.table.columns
    is_complete = all(name in staged.families for name in staged.table.required_columns)
    return is_complete and all(
        columns[name].type in TYPED_PATH_TYPES and NATIVE_FAMILY[columns[name].type] == family
        for name, family in staged.families.items()
    )


def _typed_query(staged: StagedTable) -> tuple[str, str, str]:
    """Build the query over columns that have the contract's types and need no cleaning.

    Returns the select list, the joins and the condition under which a row is valid. Rows that fail
    it are validated on the slow path; so the condition may be stricter than the rules, never laxer.
    """
    table = staged.table
    sources: dict[str, str] = {}
    conditions: list[str] = []
    joins: list[str] = []
    for name, column in table.columns.items():
        raw = f'staged."{name}"'
        if name not in staged.families:
            sources[f"v_{name}"] = "null"
            if column.refers:
                sources[f"k_{name}"] = "null"
            continue
        sources[f"v_{name}"] = raw
        if column.refers:
            key = f"ref_{name}.{column.refers}_key"
            sources[f"k_{name}"] = key
            joins.append(
                f"left join {column.refers}_ref as ref_{name} "
                f"on ref_{name}.{column.refers}_id = {raw}"
            )
            optional = "" if column.required else f" or {raw} is null"
            conditions.append(f"{key} is not null{optional}")
            continue
        value, value_conditions = _value_and_conditions(table, column, raw)
        sources[f"v_{name}"] = value
        condition = " and ".join(value_conditions)
        if condition:
            conditions.append(condition if column.required else f"{raw} is null or ({condition})")
    columns = [
        f"{sources.get(column.expression, column.expression)} as {column.name}"
        for column in stored_columns(table)
    ]
    where = " and ".join(f"({condition})" for condition in conditions) or "true"
    return ", ".join(columns), " ".join(joins), where


def _value_and_conditions(table: Table, column: Column, raw: str) -> tuple[str, list[str]]:
    """Return the SQL of a typed column's value and what must hold for it."""
    if column.type == "key":
        # Printable, without a blank, no spreadsheet error, and longer than any null word.
        return raw, [
            f"regexp_full_match({raw}, '[^#[:^graph:]][[:graph:]]*')",
            f"strlen({raw}) > $longest_null",
        ]
    if column.type == "code":
        value = exact_code(column, raw)
        return value, [f"{value} is not null"]
    if column.type in ("date", "month", "time"):
        return _date_and_conditions(table, column, raw)
    return _number_and_conditions(column, raw)


def _date_and_conditions(table: Table, column: Column, raw: str) -> tuple[str, list[str]]:
    value = f"{raw}::date" if column.type == "time" else raw
    conditions = [
        f"{value} >= date '1900-01-01'",
        f"{value} <= {_latest(table, column.name)}",
    ]
    if column.type == "month":
        conditions.append(f"last_day({raw}) = {raw}")
    if column.name in NOT_BEFORE_DISBURSEMENT.get(table.name, ()):
        conditions.append(f"coalesce({value} >= ref_loan_id.disbursed_on, true)")
    if table.name in ONLY_NEW and column.name == EVENT_DATE[table.name]:
        conditions.append(f"coalesce({raw} > $last_as_of, true)")
    return value, conditions


def _number_and_conditions(column: Column, raw: str) -> tuple[str, list[str]]:
    value = raw
    low, high = column.limits
    conditions = []
    if low is not None:
        conditions.append(f"{raw} >= {low}")
    if high is not None:
        conditions.append(f"{raw} <= {high}")
    if column.type == "number":
        conditions.append(f"isfinite({raw})")
    if column.type == "int":
        value = f"try_cast({raw} as {PLAIN_TYPES['int']})"
        conditions.append(f"{value} is not null")
    if not conditions and column.required:
        conditions.append(f"{raw} is not null")
    return value, conditions


def _latest(table: Table, name: str) -> str:
    return "$as_of" if name in NOT_AFTER_AS_OF.get(table.name, ()) else "date '2200-12-31'"


def _load_typed(validator: RowValidator, staged: StagedTable) -> None:
    name = staged.table.name
    stored, joins, is_valid = _typed_query(staged)
    date = stored_name(staged.table, EVENT_DATE[name])
    sql = load_sql(
        "typed_events",
        table=name,
        stored=stored,
        staged=staged.name,
        joins=joins,
        is_valid=is_valid,
        order_by="" if staged.is_sorted else f"order by {date}",
    )
    validator.run(sql, f"{name}: storing typed rows")


def _remaining_rows(validator: RowValidator, staged: StagedTable) -> StagedTable:
    """Return the rows that the typed path did not load, as a table of their own."""
    name = staged.table.name
    _, joins, is_valid = _typed_query(staged)
    sql = load_sql(
        "remaining_events", table=name, staged=staged.name, joins=joins, is_valid=is_valid
    )
    validator.run(sql, f"{name}: remaining rows")
    remaining = f"remaining_{name}"
    return StagedTable(staged.table, remaining, staged.families, validator.count(remaining, name))


def _load_validated(validator: RowValidator, staged: StagedTable, remaining: StagedTable) -> None:
    name = staged.table.name
    before = _stored_rows(validator, staged)
    query = validator.validation_query(remaining)
    validator.run(
        f"insert into part.history.{name} by name "
        f"select {stored_select(staged.table)} from ({query}) where fault is null "
        f"order by v_{EVENT_DATE[name]}",
        f"{name}: storing validated rows",
    )
    if _stored_rows(validator, staged) - before < remaining.rows:
        validator.reject(remaining, query)


def _key_pairs(staged: StagedTable) -> KeyPairs:
    """Return (stored column, column of a validated row) of the table's key."""
    expressions = {column.name: column.expression for column in stored_columns(staged.table)}
    names = [stored_name(staged.table, name) for name in staged.table.key]
    return [(name, expressions[name]) for name in names]


def _reject_already_loaded(validator: RowValidator, staged: StagedTable) -> None:
    """Reject keys that an older part has already.

    The rows of an increment are newer than all before, so little of the older parts is read.
    """
    name = staged.table.name
    is_new_chain = not validator.session.older
    if is_new_chain or name in VERSIONED_TABLES or not _stored_rows(validator, staged):
        return
    date = stored_name(staged.table, EVENT_DATE[name])
    pairs = _key_pairs(staged)
    columns = [column for column, _ in pairs]
    older = " union all ".join(
        f"select {', '.join(columns)} from {table} "
        f"where {date} >= (select min({date}) from part.history.{name})"
        for table in validator.older(name)
    )
    sql = load_sql(
        "events_in_older_parts",
        table=name,
        key=", ".join(f"fresh.{column}" for column in columns),
        older=f"({older})",
        same_key=" and ".join(
            f"old.{column} is not distinct from fresh.{column}" for column in columns
        ),
    )
    validator.run(sql, f"{name}: delivered before")
    delivered_before = f"in_older_parts_{name}"
    if validator.count(delivered_before, name):
        validator.reject_keys(staged, delivered_before, "already_delivered", pairs)
        delete_keys(validator, f"part.history.{name}", delivered_before, columns)
