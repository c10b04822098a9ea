"""Connections to DuckDB: hardened roots, attached parts, views over them, errors in plain words.

Every connection is an in-memory root to which the part files are attached. A part's name never
changes, so no process can be served old content under a known name. A reading root holds one view
per table under the table's bare name (`loan_month`): for schema `history` the union of all parts,
for schema `current` the table of the newest part. Once the views exist, external access is switched
off and the configuration is locked; only single SELECT statements are accepted.

Frames: sums of decimal or bigint columns are decimal(38,·) or hugeint in DuckDB and become float64
in pandas. Below 2**46 yuan (70 million million) neighbouring doubles are less than one fen apart:
rounding to two decimals gives the exact fen. `arrow` and `one` return the exact types.

An enum compared with a text, literal or parameter, is compared as text: 'low' < 'high' is false
whatever the enum says. Where order matters write
`level >= cast('high' as enum('low', 'high', 'other'))`. Equality and `in` are not affected.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from data.editions.manifest import Edition
from data.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    Statement = str | duckdb.Statement

SCHEMAS = ("history", "current")
# The table of (table_name, number, column_name, expression): columns that can be computed from the
# others of a part's table. They are not stored; the views append them after the table's own
# columns, each in terms of those before it.
COMPUTED_COLUMNS = ("current", "computed_columns")
VERSION = f"duckdb {duckdb.__version__}"
_UNION = " union all by name "
_HARDENED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}


class QueryError(UserError):
    """DuckDB refused a statement.

    `label` names the statement; `sql` is its text with `$name` parameters.
    """

    def __init__(self, code: str, /, label: str = "", sql: str = "", **facts: Any):
        super().__init__(code, **facts)
        self.label = label
        self.sql = sql

    def __str__(self) -> str:
        return f"{self.label}: {super().__str__()}" if self.label else super().__str__()

    def text(self, language: str) -> str:
        """Return the sentence in one language, after the place of the statement."""
        return f"{self.label}: {super().text(language)}" if self.label else super().text(language)

    @property
    def is_damage(self) -> bool:
        """Whether a file may be damaged or the connection can no longer be used."""
        cause = self.__cause__
        kinds = (
            duckdb.IOException,
            duckdb.FatalException,
            duckdb.InternalException,
            duckdb.SerializationException,
        )
        # A block with a wrong checksum raises the bare base class.
        is_suspect = isinstance(cause, kinds) or type(cause) is duckdb.Error
        return is_suspect and "No space left" not in str(cause)


class DiskFull(QueryError):
    """The volume that holds the part or the spill is full."""


class TooSlow(QueryError):
    """A query exceeded its time limit and was interrupted."""


class Busy(UserError):
    """All query slots stayed occupied for the whole time limit."""


def connect(memory: str | None, threads: int | None, spill: Path) -> duckdb.DuckDBPyConnection:
    """Open an in-memory root without extensions, in the time zone of the data."""
    settings: dict[str, str | float | list[str]] = dict(_HARDENED)
    settings |= {"memory_limit": memory or "60%", "temp_directory": str(spill)}
    if threads:
        settings["threads"] = str(threads)
    root = duckdb.connect(":memory:", config=settings)
    root.execute("set enable_progress_bar=false")
    root.execute("set global timezone='Asia/Shanghai'")
    return root


def memory_limit(root: duckdb.DuckDBPyConnection) -> int:
    """Return DuckDB's memory limit in bytes."""
    setting = "select parse_formatted_bytes(current_setting('memory_limit'))"
    return root.execute(setting).fetchall()[0][0]


def attach_parts(root: duckdb.DuckDBPyConnection, parts: list[Path]) -> list[str]:
    """Attach the parts read-only as p0, p1, …; return these catalog names."""
    for index, part in enumerate(parts):
        root.execute(f"attach {quote(part)} as p{index} (read_only)")
    return [f"p{index}" for index in range(len(parts))]


def lock_configuration(root: duckdb.DuckDBPyConnection) -> None:
    """Switch off external access for good."""
    root.execute("set enable_external_access=false")
    root.execute("set lock_configuration=true")


def create_views(root: duckdb.DuckDBPyConnection, catalogs: list[str]) -> list[str]:
    """Create one view per table over the catalogs (oldest first); return the names, sorted.

    Raises
    ------
    UserError
        When a table lies in both schemas.
    """
    rows = root.execute(
        "select database_name, schema_name, table_name from duckdb_tables() "
        "where schema_name in ('history', 'current')"
    ).fetchall()
    schemas: dict[str, dict[str, str]] = {}
    computed: dict[tuple[str, str], str] = {}
    for catalog, schema, table in rows:
        if catalog not in catalogs:
            continue
        schemas.setdefault(table, {})[catalog] = schema
        if (schema, table) == COMPUTED_COLUMNS:
            computed |= _computed_columns(root, catalog)
    for table, schema_of in sorted(schemas.items()):
        if len(set(schema_of.values())) > 1:
            raise UserError("table_in_two_schemas", table=table)
        sources = [catalog for catalog in catalogs if catalog in schema_of]
        if "history" not in schema_of.values():
            sources = sources[-1:]
        # Parts with the same computed columns are united first: every query binds all that the view
        # defines, used or not.
        groups: dict[str, list[str]] = {}
        for catalog in sources:
            group = groups.setdefault(computed.get((catalog, table), ""), [])
            group.append(f'select * from {catalog}.{schema_of[catalog]}."{table}"')
        body = _UNION.join(
            f"select *{columns} from ({_UNION.join(selects)})"
            for columns, selects in groups.items()
        )
        root.execute(f'create or replace view memory.main."{table}" as {body}')
    return sorted(schemas)


def _computed_columns(root: duckdb.DuckDBPyConnection, catalog: str) -> dict[tuple[str, str], str]:
    """Return (catalog, table) → ", expression as column, …" for one part."""
    columns: dict[tuple[str, str], str] = {}
    rows = root.execute(
        "select table_name, column_name, expression"
        f" from {catalog}.current.computed_columns order by number"
    ).fetchall()
    for table, column, expression in rows:
        text = f', {expression} as "{column}"'
        columns[catalog, table] = columns.get((catalog, table), "") + text
    return columns


def execute(connection: duckdb.DuckDBPyConnection, sql: Statement, params: dict) -> None:
    """Run one statement."""
    connection.execute(sql, params)


def fetch_frame(
    connection: duckdb.DuckDBPyConnection, sql: Statement, params: dict
) -> pd.DataFrame:
    """Run one statement and return its rows as a frame."""
    return connection.execute(sql, params).df()


def fetch_table(connection: duckdb.DuckDBPyConnection, sql: Statement, params: dict) -> pa.Table:
    """Run one statement and return its rows as a pyarrow table in DuckDB's exact types."""
    return connection.sql(sql, params=params).to_arrow_table()


def fetch_row(
    connection: duckdb.DuckDBPyConnection, sql: Statement, params: dict
) -> tuple[Any, ...] | None:
    """Run one statement and return its first row, None when it has none."""
    row = connection.execute(sql, params).fetchone()
    # A result that is not read to its end would keep its transaction open.
    connection.complete()
    return row


@contextmanager
def translate_errors(
    label: str = "", sql: str = "", *, seconds: float | None = None, edition: Edition | None = None
) -> Generator[None]:
    """Turn DuckDB's errors into `QueryError`, `DiskFull` or `TooSlow`.

    `seconds` is the time limit of a query, `edition` the one whose parts are being opened.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        if seconds is None:
            raise KeyboardInterrupt from error
        raise TooSlow("too_slow", seconds=seconds, label=label, sql=sql) from error
    except duckdb.OutOfMemoryException as error:
        raise QueryError("out_of_memory", error=_first_line(error), label=label, sql=sql) from error
    except duckdb.Error as error:
        text = str(error)
        if "version number" in text:
            facts = {"version": VERSION, "error": _first_line(error), "label": label, "sql": sql}
            if edition and edition.engine:
                raise QueryError("newer_engine", engine=edition.engine, **facts) from error
            raise QueryError("newer_engine_unknown", **facts) from error
        if "No space left" in text:
            raise DiskFull("disk_full", error=_first_line(error), label=label, sql=sql) from error
        message = _first_line(error) if edition else text.split("Stack Trace:")[0].strip()
        raise QueryError("query_failed", message=message, label=label, sql=sql) from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0].strip()


def quote(value: object) -> str:
    """Return the value as a text literal of SQL."""
    return "'" + str(value).replace("'", "''") + "'"
