"""How the contract's tables are kept: column names, types and the statements that make them, generated from the
contract."""

from __future__ import annotations

from dataclasses import dataclass

from data.contract.schema import OTHER, Column, Contract, Table

DIMENSIONS = ("branch", "manager", "product")
KEYED_TABLES = ("customer", "loan")
VERSIONED_TABLES = ("loan", "application", "signal")
"""Tables whose rows are handed over again when something in them changed: `delivery` tells the versions apart."""

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
    """One column of a kept table: `made` is the SQL over the judged row (v_<column> typed values, k_<column> keys)."""

    name: str
    type: str
    made: str


def sql_literal(value: str) -> str:
    """A declared word as an SQL text."""
    return "'" + value.replace("'", "''") + "'"


def enum_type(column: Column) -> str:
    """The enum type of a code column, in the contract's order, `other` last."""
    values = [*column.values, *([] if OTHER in column.values else [OTHER])]
    return f"enum({', '.join(sql_literal(value) for value in values)})"


def key_column(column: Column) -> str:
    return f"{column.name.removesuffix('_id')}_key"


def stored_columns(table: Table) -> list[StoredColumn]:
    """The columns of kept.<table> (head.<table> for dimensions) in order, without those the loader numbers itself."""
    columns: list[StoredColumn] = []
    for column in table.columns.values():
        value = f"v_{column.name}"
        if table.name == "customer" and column.name == "customer_id":
            columns.append(StoredColumn("customer_key", "integer", "k_customer_id"))
        elif table.name == "loan" and column.name == "loan_id":
            columns += [
                StoredColumn("loan_key", "integer", "k_loan_id"),
                StoredColumn("delivery", "smallint", ":delivery::smallint"),
            ]
        elif column.name == "rollover_of":
            columns.append(StoredColumn("rollover_of_key", "integer", "k_rollover_of"))
        elif column.refers and table.name != "branch":
            columns.append(StoredColumn(key_column(column), KEY_TYPES[column.refers], f"k_{column.name}"))
        elif column.type == "code":
            columns.append(StoredColumn(column.name, enum_type(column), value))
        elif column.type == "name":
            columns.append(StoredColumn("name_masked", "varchar", f"masked_name({value})"))
        elif column.type in ("id_number", "phone"):
            mask = "masked_id" if column.type == "id_number" else "masked_phone"
            columns.append(StoredColumn(f"{column.name}_masked", "varchar", f"{mask}({value})"))
            columns.append(StoredColumn(f"{column.name}_hash", "blob", f"keyed_hash({value}, :inner_key, :outer_key)"))
        elif column.type == "time":
            columns.append(StoredColumn(f"{column.name.removesuffix('_at')}_on", "date", value))
        else:
            columns.append(StoredColumn(column.name, PLAIN_TYPES[column.type], value))
    if table.name in ("application", "signal"):
        columns.append(StoredColumn("delivery", "smallint", ":delivery::smallint"))
    return columns


def stored_name(table: Table, column: str) -> str:
    """The name under which a contract column is kept (keys and dates change theirs)."""
    declared = table.columns[column]
    if (
        column == "rollover_of"
        or (declared.refers and table.name != "branch")
        or (table.name, column)
        in (
            ("customer", "customer_id"),
            ("loan", "loan_id"),
        )
    ):
        return key_column(declared)
    return f"{column.removesuffix('_at')}_on" if declared.type == "time" else column


DIMENSION_COLUMNS = {
    "branch": "branch_key smallint, branch_id varchar, parent_key smallint, name varchar, name_en varchar, "
    "level tinyint, "
    "branch_1 varchar, branch_2 varchar, branch_3 varchar",
    "manager": "manager_key integer, manager_id varchar, branch_key smallint, name_masked varchar",
    "product": "product_key smallint, product_id varchar, name varchar, name_en varchar, family {family}",
}
REGISTER_COLUMNS = {
    "customer_number": "customer_key integer, customer_id varchar",
    "loan_number": "loan_key integer, loan_id varchar, customer_key integer",
    "rejected": "table_name varchar, file varchar, line bigint, column_name varchar, value_masked varchar, "
    "reason varchar, "
    "sentence varchar, delivery smallint",
    "delivery": "delivery smallint, source varchar, kind varchar, as_of date, loaded_at timestamp, tables json, "
    "manifest json",
}


def create_tables_sql(contract: Contract) -> str:
    """The statements that make every kept and head table, empty, in catalog `part`."""
    made = []
    for name, table in contract.tables.items():
        if name in DIMENSION_COLUMNS:
            family = enum_type(table.columns["family"]) if name == "product" else ""
            made.append(f"create table part.head.{name} ({DIMENSION_COLUMNS[name].format(family=family)})")
        else:
            columns = ", ".join(f"{kept.name} {kept.type}" for kept in stored_columns(table))
            made.append(f"create table part.kept.{name} ({columns})")
    made += [f"create table part.kept.{name} ({columns})" for name, columns in REGISTER_COLUMNS.items()]
    return ";\n".join(made)
