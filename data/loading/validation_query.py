"""The query that reads, casts, links and validates the rows of a delivered relation.

A relation of delivered rows has `file`, `line`, `problem` and the delivered columns. The query
returns one row per delivered row with v_<column> (typed value), k_<column> (integer key of what it
refers to) and `fault` (column|reason, or null).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from data.contract.schema import DATE_TYPES, Column, Table
from data.contract.tables import EVENT_DATE, PLAIN_TYPES, enum_type
from data.loading.casting import (
    NOT_AFTER_AS_OF,
    NOT_BEFORE_DISBURSEMENT,
    ONLY_NEW,
    Cast,
    casts,
)
from data.loading.sql_files import load_sql

_MASKS = {"name": "masked_name", "id_number": "masked_id", "phone": "masked_phone"}


def validation_query(
    table: Table,
    relation: str,
    families: Mapping[str, str],
    formats: tuple[str, ...],
    *,
    linked: bool = True,
) -> str:
    """Return the validation query of `relation`; its parameters are those of a `RowValidator`.

    Parameters
    ----------
    linked
        Join customer_ref (customer_id, customer_key), loan_ref (loan_id, loan_key, disbursed_on)
        and the <dimension>_ref tables for the columns that refer to them. False for the raw files
        of a source and for the table of branches.
    """
    cast_by_column = casts(table, families, formats)
    joins, keys = _links(table) if linked else ([], [])
    return load_sql(
        "validation_query",
        relation=relation,
        tidied_columns=", ".join(
            f"{cast.tidy} as t_{name}" for name, cast in cast_by_column.items()
        ),
        nullified=_replace_clause(
            f"case when strlen(t_{name}) > $longest_null "
            f"or not list_contains($nulls, lower(t_{name})) then t_{name} end as t_{name}"
            for name, cast in cast_by_column.items()
            if cast.is_text
        ),
        typed_columns=", ".join(
            f"{_value(column, cast_by_column.get(name))} as v_{name}"
            for name, column in table.columns.items()
        ),
        joins=" ".join(joins),
        linked_columns=", ".join(["typed.*", *keys]),
        faults=_faults(table, cast_by_column, linked),
        closed_dates=_replace_clause(
            f"nullif(v_{name}, date '9999-12-31') as v_{name}"
            for name in cast_by_column
            if table.columns[name].type in DATE_TYPES
        ),
    )


def _value(column: Column, cast: Cast | None) -> str:
    """Return the typed value of a column; a typed null when it was not delivered."""
    if cast:
        return cast.value
    if column.type == "code":
        return f"null::{enum_type(column)}"
    return f"null::{PLAIN_TYPES.get(column.type, 'varchar')}"


def _replace_clause(expressions: Iterable[str]) -> str:
    text = ", ".join(expressions)
    return f"replace ({text})" if text else ""


def referenced_table(table: Table, column: Column) -> str | None:
    """Return the table whose key replaces the column's identifier; None when there is none.

    A branch's parent and a table's own identifier are resolved after all rows are validated.
    """
    target = "loan" if column.name == "rollover_of" else column.refers
    return None if table.name in ("branch", target) else target


def _links(table: Table) -> tuple[list[str], list[str]]:
    """Return the joins to the keys that a row refers to, and the columns that they add."""
    joins: list[str] = []
    keys: list[str] = []
    for name, column in table.columns.items():
        target = referenced_table(table, column)
        if not target:
            continue
        alias = f"ref_{name}"
        joins.append(f"left join {target}_ref as {alias} on {alias}.{target}_id = typed.v_{name}")
        keys.append(f"{alias}.{target}_key as k_{name}")
        if name == "loan_id":
            keys.append(f"{alias}.disbursed_on as loan_disbursed_on")
    return joins, keys


def _faults(table: Table, cast_by_column: Mapping[str, Cast], linked: bool) -> str:
    """Return the cases that give a row's first fault as column|reason."""
    cases = ["when problem is not null then '|' || problem"]
    for name, cast in cast_by_column.items():
        cases += [f"when {condition} then '{name}|{reason}'" for reason, condition in cast.faults]
    if linked:
        cases += [
            f"when {condition} then '{name}|{reason}'"
            for name, reason, condition in _relation_faults(table, cast_by_column)
        ]
    return "\n".join(cases)


def _relation_faults(table: Table, delivered: Collection[str]) -> list[tuple[str, str, str]]:
    """Return (column, reason, condition) of the faults that concern more than one value."""
    faults: list[tuple[str, str, str]] = []
    for name in NOT_AFTER_AS_OF.get(table.name, ()):
        if name in delivered:
            condition = f"v_{name} > $as_of and v_{name} <> date '9999-12-31'"
            faults.append((name, "after_as_of", condition))
    start = "v_disbursed_on" if table.name == "loan" else "loan_disbursed_on"
    for name in NOT_BEFORE_DISBURSEMENT.get(table.name, ()):
        if name in delivered:
            faults.append((name, "before_disbursement", f"v_{name} < {start}"))
    if table.name in ONLY_NEW:
        name = EVENT_DATE[table.name]
        faults.append((name, "before_last_as_of", f"v_{name} <= $last_as_of"))
    for name, column in table.columns.items():
        is_reference = column.refers in ("customer", "loan") and table.name != column.refers
        if is_reference and name in delivered:
            faults.append((name, "orphan", f"v_{name} is not null and k_{name} is null"))
    return faults


def masked_value(table: Table, families: Mapping[str, str]) -> str:
    """Return the SQL of a row's faulty value: masked if personal, 60 characters at most."""
    cases = []
    for name, column in table.columns.items():
        if name in families:
            text = f'"{name}"::varchar'
            display = f"left(shown({text}), 60)"
            if column.is_personal:
                display = f"{_MASKS[column.type]}({text})"
            cases.append(f"when '{name}' then {display}")
    return f"case split_part(fault, '|', 1) {' '.join(cases)} end" if cases else "null"
