"""The rejected rows of a load that publishes nothing: the first of them, and a file of all.

A load that is refused, and `python -m data check`, leave no edition that could hold the rows.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from data.editions.part_writer import BuildSession
from data.errors import RejectedRows, UserError
from data.loading.sql_files import load_sql

FOLDER = "rejected"
EXAMPLE_COUNT = 5


def report_rejected_rows(
    session: BuildSession, home: Path, now: dt.datetime, error: UserError | None = None
) -> RejectedRows | None:
    """Write the rejected rows of a load below `home`; None when there are none.

    Parameters
    ----------
    now
        The time of the load, which names the file.
    error
        Why the load is refused: the rows of the table that it names come first.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    tables = session.table(
        "select 1 from duckdb_tables() where database_name = 'part' "
        "and schema_name = 'history' and table_name = 'rejected'",
        "rejected rows",
    )
    if not tables.num_rows:
        return None
    rows = session.table(
        load_sql("rejected_report"),
        "rejected rows",
        first=str(error.facts.get("table", "")) if error else "",
    )
    if not rows.num_rows:
        return None
    path = home / FOLDER / f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.csv"
    _write(rows, path)
    examples = rows.slice(0, EXAMPLE_COUNT).drop_columns(["sentence"]).to_pylist()
    return RejectedRows(rows.num_rows, examples, path)


def _write(rows: pa.Table, path: Path) -> None:
    """Write a CSV file that only the owner can read."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            pa_csv.write_csv(rows, stream)
    except OSError as failure:
        raise UserError("output_not_writable", path=path, error=failure.strerror) from failure
