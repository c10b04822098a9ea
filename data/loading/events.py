"""Events and month-end facts into their kept tables: one pass for clean typed rows, a careful one for what is left."""

from __future__ import annotations

from data.contract.schema import Column, Table
from data.contract.tables import (
    EVENT_DATE,
    PLAIN_TYPES,
    VERSIONED_TABLES,
    stored_columns,
    stored_name,
)
from data.loading.casting import (
    NATIVE_FAMILY,
    NOT_AFTER_AS_OF,
    NOT_BEFORE_DISBURSEMENT,
    ONLY_NEW,
    exact_code,
)
from data.loading.reconciliation import LoadCounts
from data.loading.validation import RowValidator, StagedTable

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
    """Fill history.<table> with the sound rows, sorted by date; refuse the rest; see that no key stands twice."""
    counts = validator.counts_for(staged)
    rest = staged
    if _is_typed(staged):
        _load_typed(validator, staged)
        if _count(validator, staged) == staged.rows:
            rest = None
        else:
            rest = _remaining_rows(validator, staged)
    if rest:
        _load_validated(validator, staged, rest, counts)
    _resolve_duplicates(validator, staged, counts)
    _refuse_already_loaded(validator, staged, counts)
    counts.loaded = _count(validator, staged)


def _count(validator: RowValidator, staged: StagedTable) -> int:
    return validator.one(f"select count(*) from part.history.{staged.table.name}", staged.table.name)[
        0
    ]


def _is_typed(staged: StagedTable) -> bool:
    """Every delivered column has the contract's very type, and none is missing that is required."""
    columns = staged.table.columns
    typed = (
        columns[n].type in TYPED_PATH_TYPES and NATIVE_FAMILY[columns[n].type] == kind
        for n, kind in staged.families.items()
    )
    return all(typed) and all(name in staged.families for name in staged.table.required_columns)


def _typed_query(staged: StagedTable) -> tuple[str, str, str]:
    """Build the query over columns that have the contract's types and need no cleaning.

    Returns the select list, the joins and the condition under which a row is sound. A row that
    fails the condition is validated again on the slow path; so the condition may be stricter than
    the rules, never laxer.
    """
    table = staged.table
    sources: dict[str, str] = {}
    sound: list[str] = []
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
                f"left join {column.refers}_ref as ref_{name} on ref_{name}.{column.refers}_id = {raw}"
            )
            optional = "" if column.required else f" or {raw} is null"
            sound.append(f"{key} is not null{optional}")
            continue
        value, conditions = _value_and_conditions(table, column, raw)
        sources[f"v_{name}"] = value
        condition = " and ".join(conditions)
        if condition:
            sound.append(condition if column.required else f"{raw} is null or ({condition})")
    columns = [f"{sources.get(c.made, c.made)} as {c.name}" for c in stored_columns(table)]
    where = " and ".join(f"({condition})" for condition in sound) or "true"
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
    made, joins, sound = _typed_query(staged)
    date = stored_name(staged.table, EVENT_DATE[staged.table.name])
    order = "" if staged.is_sorted else f" order by {date}"
    validator.run(
        f"insert into part.history.{staged.table.name} by name select {made} from {staged.name} as staged "
        f"{joins} where {sound}{order}",
        f"{staged.table.name}: keeping",
    )


def _remaining_rows(validator: RowValidator, staged: StagedTable) -> StagedTable:
    """What the fast pass did not take, as a relation of its own."""
    _, joins, sound = _typed_query(staged)
    name = f"rest_{staged.table.name}"
    validator.run(
        f"create or replace table {name} as select staged.* from {staged.name} as staged "
        f"{joins} where ({sound}) is not true",
        f"{staged.table.name}: the rest",
    )
    rows = validator.one(f"select count(*) from {name}", staged.table.name)[0]
    return StagedTable(staged.table, name, staged.families, rows)


def _load_validated(
    validator: RowValidator, staged: StagedTable, rest: StagedTable, counts: LoadCounts
) -> None:
    before = _count(validator, staged)
    made = ", ".join(f"{kept.made} as {kept.name}" for kept in stored_columns(staged.table))
    rows = validator.validation_query(rest)
    date = f"v_{EVENT_DATE[staged.table.name]}"
    validator.run(
        f"insert into part.history.{staged.table.name} by name select {made} from ({rows}) where fault is "
        f"null order by {date}",
        f"{staged.table.name}: keeping carefully",
    )
    if _count(validator, staged) - before < rest.rows:
        validator.reject(rest, rows, counts)


def _key_pairs(staged: StagedTable) -> list[tuple[str, str]]:
    """(kept column, column of a validated row) of the table's key."""
    made = {kept.name: kept.made for kept in stored_columns(staged.table)}
    return [
        (stored_name(staged.table, name), made[stored_name(staged.table, name)])
        for name in staged.table.key
    ]


def _resolve_duplicates(validator: RowValidator, staged: StagedTable, counts: LoadCounts) -> None:
    name, target = staged.table.name, f"part.history.{staged.table.name}"
    pairs = _key_pairs(staged)
    key = ", ".join(column for column, _ in pairs)
    if validator.has_unique_key(target, key, name):
        return
    validator.run(
        f"create or replace table double_{name} as select {key}, count(*) as rows, "
        f"count(distinct hash({', '.join(kept.name for kept in stored_columns(staged.table))})) as kinds "
        f"from {target} group by {key} having count(*) > 1",
        f"{name}: double keys",
    )
    match = " and ".join(
        f"double.{column} is not distinct from kept.{column}" for column, _ in pairs
    )
    same = validator.one(
        f"select coalesce(sum(rows - 1), 0) from double_{name} where kinds = 1", name
    )[0]
    if same:
        counts.skipped["duplicate_same"] = int(same)
        partition = ", ".join(f"kept.{column}" for column, _ in pairs)
        validator.run(
            f"delete from {target} where rowid in (select kept.rowid from {target} as kept join "
            f"double_{name} as double on {match} "
            f"where kinds = 1 qualify row_number() over (partition by {partition} order by kept.rowid) > 1)",
            f"{name}: identical rows",
        )
    if validator.one(f"select count(*) from double_{name} where kinds > 1", name)[0]:
        validator.reject_keys(
            staged, f"double_{name}", "conflicting_duplicate", counts, pairs, where="kinds > 1"
        )
        _delete_keys(validator, name, f"double_{name}", pairs, "kinds > 1")


def _refuse_already_loaded(
    validator: RowValidator, staged: StagedTable, counts: LoadCounts
) -> None:
    """Refuse keys that an older part holds already. An increment's rows are younger than all before, so little is
    read."""
    name = staged.table.name
    if not validator.session.older or name in VERSIONED_TABLES or not _count(validator, staged):
        return
    date, pairs = stored_name(staged.table, EVENT_DATE[name]), _key_pairs(staged)
    key = ", ".join(column for column, _ in pairs)
    old = " union all ".join(
        f"select {key} from {table} where {date} >= (select min({date}) from part.history.{name})"
        for table in validator.older(name)
    )
    match = " and ".join(f"old.{column} is not distinct from fresh.{column}" for column, _ in pairs)
    validator.run(
        f"create or replace table known_{name} as select distinct "
        f"{', '.join(f'fresh.{column}' for column, _ in pairs)} "
        f"from part.history.{name} as fresh join ({old}) as old on {match}",
        f"{name}: delivered before",
    )
    if validator.one(f"select count(*) from known_{name}", name)[0]:
        validator.reject_keys(staged, f"known_{name}", "already_delivered", counts, pairs)
        _delete_keys(validator, name, f"known_{name}", pairs, "true")


def _delete_keys(
    validator: RowValidator, name: str, keys: str, pairs: list[tuple[str, str]], where: str
) -> None:
    match = " and ".join(
        f"keys.{column} is not distinct from {name}.{column}" for column, _ in pairs
    )
    validator.run(
        f"delete from part.history.{name} where exists (select 1 from {keys} as keys where {where} and {match})",
        f"{name}: refused keys",
    )
