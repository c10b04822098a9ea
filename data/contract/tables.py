"""How the contract's tables are stored: names and types of columns, CREATE statements."""

from __future__ import annotations

from dataclasses import dataclass

from data.contract.schema import OTHER, Column, Contract, Table

DIMENSIONS = ("branch", "manager", "product")
KEYED_TABLES = ("customer", "loan")
VERSIONED_TABLES = ("loan", "application", "signal")
"""Tables whose rows are delivered again on change; the column `delivery` numbers versions."""

KEY_TYPES = {
    "customer": "integer",
    "loan": "integer",
    "branch": "smallint",
    "product": "smallint",
    "manager": "integer",
}
PLAIN_TYPES = {
    "key": "varchar",
    "text": "varchar",
    "date": "date",
    "month": "date",
    "time": "date",
    "money": "decimal(18, 2)",
    "rate": "decimal(9, 6)",
    "int": "integer",
    "number": "double",
    "bool": "boolean",
}
EVENT_DATE = {
    "instalment": "due_on",
    "payment": "paid_at",
    "loan_snapshot": "as_of",
    "deposit_balance": "as_of",
    "income": "booked_on",
    "application": "applied_on",
    "signal": "raised_on",
    "action": "done_on",
    "target": "as_of",
    "survey": "asked_on",
}


@dataclass(frozen=True)
class StoredColumn:
    """One stored column; `expression` is its SQL over a validated row.

    A validated row has v_<column> (typed values) and k_<column> (keys).
    """

    name: str
    type: str
    expression: str


def sql_literal(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def enum_type(column: Column) -> str:
    """Return the enum type of a code column, in the contract's order, `other` last."""
    values = [*column.values, *([] if OTHER in column.values else [OTHER])]
    return f"enum({', '.join(sql_literal(value) for value in values)})"


def key_column(column: Column) -> str:
    """Return the name of the integer key that replaces an identifier."""
    return f"{column.name.removesuffix('_id')}_key"


def _masked_and_hashed(column: Column) -> list[StoredColumn]:
    value = f"v_{column.name}"
    mask = "masked_id" if column.type == "id_number" else "masked_phone"
    hashed = f"keyed_hash({value}, $inner_key, $outer_key)"
    return [
        StoredColumn(f"{column.name}_masked", "varchar", f"{mask}({value})"),
        StoredColumn(f"{column.name}_hash", "blob", hashed),
    ]


def _code(column: Column) -> list[StoredColumn]:
    return [StoredColumn(column.name, enum_type(column), f"v_{column.name}")]


def _name(column: Column) -> list[StoredColumn]:
    return [StoredColumn("name_masked", "varchar", f"masked_name(v_{column.name})")]


def _time(column: Column) -> list[StoredColumn]:
    return [StoredColumn(f"{column.name.removesuffix('_at')}_on", "date", f"v_{column.name}")]


def _plain(column: Column) -> list[StoredColumn]:
    return [StoredColumn(column.name, PLAIN_TYPES[column.type], f"v_{column.name}")]


_DELIVERY = StoredColumn("delivery", "smallint", "$delivery::smallint")
_BY_TYPE = {
    "code": _code,
    "name": _name,
    "id_number": _masked_and_hashed,
    "phone": _masked_and_hashed,
    "time": _time,
}
# Columns that become integer keys although they refer to no other table: (table, column).
_OWN_KEYS = {
    ("customer", "customer_id"): [StoredColumn("customer_key", "integer", "k_customer_id")],
    ("loan", "loan_id"): [StoredColumn("loan_key", "integer", "k_loan_id"), _DELIVERY],
}


def stored_columns(table: Table) -> list[StoredColumn]:
    """Return the columns of history.<table> (current.<table> for dimensions), in order.

    Keys that the loader assigns by itself are left out.
    """
    columns: list[StoredColumn] = []
    for column in table.columns.values():
        if (table.name, column.name) in _OWN_KEYS:
            columns += _OWN_KEYS[table.name, column.name]
        elif column.name == "rollover_of":
            columns.append(StoredColumn("rollover_of_key", "integer", "k_rollover_of"))
        elif column.refers and table.name != "branch":
            type = KEY_TYPES[column.refers]
            columns.append(StoredColumn(key_column(column), type, f"k_{column.name}"))
        else:
            columns += _BY_TYPE.get(column.type, _plain)(column)
    if table.name in ("application", "signal"):
        columns.append(_DELIVERY)
    return columns


def stored_select(table: Table) -> str:
    """Return the select list of the stored columns over a validated row."""
    return ", ".join(f"{column.expression} as {column.name}" for column in stored_columns(table))


def stored_name(table: Table, column: str) -> str:
    """Return the name under which a contract column is stored; keys and dates change theirs."""
    declared = table.columns[column]
    is_key = column == "rollover_of" or (table.name, column) in _OWN_KEYS
    if is_key or (declared.refers and table.name != "branch"):
        return key_column(declared)
    if declared.type == "time":
        return f"{column.removesuffix('_at')}_on"
    return column


DIMENSION_COLUMNS = {
    "branch": "branch_key smallint, branch_id varchar, parent_key smallint, name varchar, "
    "name_en varchar, level tinyint, branch_1 varchar, branch_2 varchar, branch_3 varchar",
    "manager": "manager_key integer, manager_id varchar, branch_key smallint, name_masked varchar",
    "product": "product_key smallint, product_id varchar, name varchar, name_en varchar, "
    "family {family}",
}
REGISTER_COLUMNS = {
    "customer_number": "customer_key integer, customer_id varchar",
    "loan_number": "loan_key integer, loan_id varchar, customer_key integer",
    "rejected": "table_name varchar, file varchar, line bigint, column_name varchar, "
    "value_masked varchar, reason varchar, sentence varchar, delivery smallint",
    "finding": "code varchar, table_name varchar, id varchar, day date, value varchar, "
    "amount decimal(18, 2), delivery smallint",
    "delivery": "delivery smallint, source varchar, kind varchar, as_of date, "
    "loaded_at timestamp, tables json, manifest json",
}


def create_tables_sql(contract: Contract) -> str:
    """Return the statements that create the empty tables of catalog `part`."""
    statements = []
    for name, table in contract.tables.items():
        if name in DIMENSION_COLUMNS:
            family = enum_type(table.columns["family"]) if name == "product" else ""
            columns = DIMENSION_COLUMNS[name].format(family=family)
            statements.append(f"create table part.current.{name} ({columns})")
        else:
            columns = ", ".join(f"{column.name} {column.type}" for column in stored_columns(table))
            statements.append(f"create table part.history.{name} ({columns})")
    statements += [
        f"create table part.history.{name} ({columns})"
        for name, columns in REGISTER_COLUMNS.items()
    ]
    return ";\n".join(statements)
