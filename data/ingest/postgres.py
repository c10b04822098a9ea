"""A PostgreSQL database as a source: all tables over ADBC in one REPEATABLE READ snapshot.

The address is libpq's, postgresql://user@host:port/name?…; ~/.pgpass or PGPASSWORD are better
places for a password. Messages contain nothing of the address but the names of tables.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgres
import pyarrow as pa
import pyarrow.parquet as pq

from data.contract.schema import Table
from data.errors import UserError
from data.ingest.files import (
    FileFormat,
    Progress,
    StagedFile,
    arrow_family,
    check_header,
    quoted_name,
)

TIMEOUT_SECONDS = 600
MAX_TRIES = 3
RETRY_PAUSE_SECONDS = 1.0
CONNECTION_ERRORS = (
    "server closed",
    "could not connect",
    "connection",
    "terminat",
    "timeout expired",
    "lost synchronization",
    "no route",
)
CREDENTIAL_ERRORS = ("password", "authentication", "role", "pg_hba")


class _ConnectionLost(Exception):
    """The connection broke while a table was read."""

    def __init__(self, table: str, cause: str) -> None:
        super().__init__(cause)
        self.table = table


@dataclass(frozen=True)
class DatabaseTable:
    """A table to read: name in the database, declared columns, and whether it must exist."""

    name: str
    declared: Table
    required: bool


def stage_database(
    address: str,
    tables: Mapping[str, DatabaseTable],
    work: Path,
    progress: Progress,
    *,
    timeout: float = TIMEOUT_SECONDS,
    tries: int = MAX_TRIES,
    pause: float = RETRY_PAUSE_SECONDS,
) -> dict[str, StagedFile]:
    """Read tables into Parquet files in a folder below `work`.

    When the connection breaks, everything is read again: a new snapshot may differ.

    Parameters
    ----------
    timeout
        Seconds for one statement.
    pause
        Seconds before the second try; longer before each further one.

    Raises
    ------
    UserError
        For no connection, a wrong password, a table slower than `timeout`, a missing table or
        column and a number of rows that differs from the count.
    """
    for number in range(1, tries + 1):
        try:
            return _read_all(address, tables, work / f"database-{number}", progress, timeout)
        except _ConnectionLost as error:
            if number == tries:
                raise UserError(
                    "database_lost", table=error.table, tries=tries, error=error
                ) from None
            time.sleep(pause * number)
    raise AssertionError("each try ends with a result or an error")


def _read_all(
    address: str,
    tables: Mapping[str, DatabaseTable],
    folder: Path,
    progress: Progress,
    timeout: float,
) -> dict[str, StagedFile]:
    folder.mkdir(mode=0o700)
    current = "-"
    try:
        with postgres.connect(address) as connection, connection.cursor() as cursor:
            # The first statement of the transaction: all others see the database as of this moment.
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(f"set local statement_timeout = {int(timeout * 1000)}")
            cursor.execute("set local timezone = 'Asia/Shanghai'")
            staged = {}
            for name, table in tables.items():
                current = table.name
                started = time.monotonic()
                part = _read_table(cursor, table, folder / f"{name}.parquet")
                if part:
                    staged[name] = part
                    progress(f"{name}: reading", part.rows, time.monotonic() - started)
            return staged
    except adbc_driver_manager.Error as error:
        raise _describe_error(error, address, current, timeout) from None


def _describe_error(error: Exception, address: str, table: str, timeout: float) -> Exception:
    """Return the error to raise for one of the driver's, without address and password.

    `table` is "-" before the first table is read.
    """
    text = re.sub(
        r"postgres(ql)?://\S+", "postgresql://…", str(error).replace(address, "postgresql://…")
    )
    text = re.sub(r"(password|passwd|pwd)\s*=\s*\S+", r"\1=…", text, flags=re.IGNORECASE)
    first = next(
        (line.strip() for line in text.splitlines() if line.strip()), type(error).__name__
    )[:200]
    low = text.lower()
    if "statement timeout" in low:
        return UserError("database_slow", seconds=f"{timeout:g}", table=table)
    if table == "-":
        if any(word in low for word in CREDENTIAL_ERRORS):
            return UserError("database_password")
        return UserError("database_connect", error=first)
    if any(word in low for word in CONNECTION_ERRORS):
        return _ConnectionLost(table, first)
    return UserError("database_error", table=table, error=first)


def _read_table(cursor: postgres.Cursor, table: DatabaseTable, target: Path) -> StagedFile | None:
    """Write a table as a Parquet file; return None when it does not exist and is not required."""
    cursor.execute(
        "select column_name from information_schema.columns "
        "where table_name = $1 and table_schema = any(current_schemas(false))",
        parameters=[table.name],
    )
    existing = cursor.fetch_arrow_table().column(0).to_pylist()
    if not existing:
        if table.required:
            raise UserError("no_table", table=table.name)
        return None
    columns = table.declared.columns
    titles = {name: column.title for name, column in columns.items()}
    file_format = FileFormat(tuple(columns), table.declared.required_columns, titles=titles)
    names = check_header(table.name, existing, file_format)
    stored_names = {name: title for name, title in zip(names, existing, strict=True) if name}
    select_list = ", ".join(
        f'{quoted_name(stored_names[name])} as "{name}"' for name in columns if name in stored_names
    )
    cursor.execute(f'select count(*) from "{table.name}"')
    count = cursor.fetch_arrow_table().column(0).to_pylist()[0]
    cursor.execute(f'select {select_list} from "{table.name}"')
    reader = cursor.fetch_record_batch()
    schema = pa.schema([(field.name, _storage_type(field.type)) for field in reader.schema])
    rows = 0
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for batch in reader:
            columns_of_batch = [_storage(column) for column in batch.columns]
            writer.write_batch(pa.record_batch(columns_of_batch, schema=schema))
            rows += batch.num_rows
    if rows != count:
        raise UserError("database_counts", table=table.name, got=rows, want=count)
    types = {field.name: arrow_family(field.type) for field in schema}
    return StagedFile(table.name, target, types, rows, native=True)


def _storage_type(kind: pa.DataType) -> pa.DataType:
    """Return the type under an extension: NUMERIC, enums and others come as opaque text."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _storage(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column, pa.ExtensionArray) else column
