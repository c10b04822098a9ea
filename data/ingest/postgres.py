"""A PostgreSQL database as a source: all tables read over ADBC in one REPEATABLE READ snapshot, each counted in it.

The address is libpq's, postgresql://user@host:port/name?…; a password is better left to ~/.pgpass or PGPASSWORD.
Nothing of the
address but the table names appears in a message.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as postgres
import pyarrow as pa
import pyarrow.parquet as pq

from data.contract.schema import Table
from data.errors import UserError
from data.ingest.files import FileFormat, StagedFile, arrow_family, check_header

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

    def __init__(self, table: str, cause: str):
        super().__init__(cause)
        self.table = table


def stage_database(
    address: str,
    wanted: Mapping[str, tuple[str, Table, bool]],
    work: Path,
    progress: Callable[[str, int, float], None],
    *,
    timeout: float = TIMEOUT_SECONDS,
    tries: int = MAX_TRIES,
    pause: float = RETRY_PAUSE_SECONDS,
) -> dict[str, StagedFile]:
    """Read the wanted tables, name → (table in the database, its columns, whether it must be there).

    A connection that breaks is opened again and everything is read anew, since a new snapshot may differ. Raises
    UserError: no
    connection, wrong password, a table slower than `timeout` seconds, a missing table or column, a count that differs.
    """
    for number in range(1, tries + 1):
        try:
            return _read_all(address, wanted, work / f"database-{number}", progress, timeout)
        except _ConnectionLost as lost:
            if number == tries:
                raise UserError(
                    "database_lost", table=lost.table, tries=tries, error=lost
                ) from None
            time.sleep(pause * number)
    raise AssertionError("a try ends with an answer or a refusal")


def _read_all(
    address: str, wanted, folder: Path, progress, timeout: float
) -> dict[str, StagedFile]:
    folder.mkdir(mode=0o700)
    table = "-"
    try:
        with postgres.connect(address) as connection, connection.cursor() as cursor:
            # The first statement of the transaction: all that follows sees the database as of this moment.
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(f"set local statement_timeout = {int(timeout * 1000)}")
            cursor.execute("set local timezone = 'Asia/Shanghai'")
            staged = {}
            for name, (table, declared, must) in wanted.items():
                started = time.monotonic()
                part = _read_table(cursor, name, table, declared, must, folder / f"{name}.parquet")
                if part:
                    staged[name] = part
                    progress(f"{name}: reading", part.rows, time.monotonic() - started)
            return staged
    except adbc_driver_manager.Error as error:
        raise _describe_error(error, address, table, timeout) from None


def _describe_error(error: Exception, address: str, table: str, timeout: float) -> Exception:
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


def _read_table(
    cursor, name: str, table: str, declared: Table, must: bool, target: Path
) -> StagedFile | None:
    cursor.execute(
        "select column_name from information_schema.columns where table_name = $1 and table_schema = "
        "any(current_schemas(false))",
        parameters=[table],
    )
    found = cursor.fetch_arrow_table().column(0).to_pylist()
    if not found:
        if must:
            raise UserError("no_table", table=table)
        return None
    names = [column for column in declared.columns if column in found]
    check_header(table, found, FileFormat(tuple(declared.columns), declared.required_columns))
    columns = ", ".join(f'"{column}"' for column in names)
    cursor.execute(f'select count(*) from "{table}"')
    count = cursor.fetchone()[0]
    cursor.execute(f'select {columns} from "{table}"')
    reader = cursor.fetch_record_batch()
    schema = pa.schema([(field.name, _storage_type(field.type)) for field in reader.schema])
    rows = 0
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for batch in reader:
            writer.write_batch(
                pa.record_batch(
                    [
                        _column(column, field.type)
                        for column, field in zip(batch.columns, schema, strict=True)
                    ],
                    schema=schema,
                )
            )
            rows += batch.num_rows
    if rows != count:
        raise UserError("database_counts", table=table, got=rows, want=count)
    return StagedFile(
        table, target, {field.name: arrow_family(field.type) for field in schema}, rows, native=True
    )


def _storage_type(kind: pa.DataType) -> pa.DataType:
    """NUMERIC, enums and the like come as an opaque extension over text."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _column(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return column.storage if isinstance(column, pa.ExtensionArray) else column
