"""Tiny deliveries for the tests of loading: two customers, two loans, one month-end snapshot."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.editions.manifest import Edition
from data.editions.reader import EditionReader
from data.loading.pipeline import load
from data.loading.plan import Overrides

CUSTOMER = "customer_id,valid_from\nC1,2024-01-01\nC2,2024-01-01\n"
LOAN = (
    "loan_id,customer_id,principal,disbursed_on\n"
    "L1,C1,1000.00,2024-01-10\nL2,C2,2000.00,2024-02-10\n"
)
SNAPSHOT = "as_of,loan_id,balance,days_past_due\n2024-03-31,L1,900.00,0\n2024-03-31,L2,2000.00,31\n"
AS_OF = dt.date(2024, 3, 31)
LENIENT = {"rejects": 1.0, "orphans": 1.0, "conflicts": 1.0}


def write(folder: Path, **tables: str | bytes | None) -> Path:
    """Write a delivery of CSV files; None leaves a table out."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"customer": CUSTOMER, "loan": LOAN, "loan_snapshot": SNAPSHOT} | tables
    for name, text in files.items():
        if text is not None:
            (folder / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def manifest(
    folder: Path,
    as_of: str = "2024-03-31",
    *,
    kind: str = "full",
    first: str | None = None,
    rows: Mapping[str, int] | None = None,
    totals: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """Write manifest.json over the files of the folder; return the folder.

    Parameters
    ----------
    first
        The first month end.
    rows
        Declared rows by table.
    totals
        Declared sums by table and column.
    """
    tables = {}
    for path in sorted(folder.iterdir()):
        if path.name == "manifest.json":
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entry: dict[str, str | int] = {"name": path.name, "sha256": digest}
        if rows and path.stem in rows:
            entry["rows"] = rows[path.stem]
        tables[path.stem] = {"files": [entry], "totals": (totals or {}).get(path.stem, {})}
    body = {"source": "contract", "kind": kind, "as_of": as_of, "tables": tables}
    if first:
        body["from"] = first
    (folder / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    return folder


def load_tiny(
    delivery: Path | str,
    home: Path,
    *,
    as_of: dt.date | None = AS_OF,
    limits: Mapping[str, float] | None = None,
    volume_by: str | None = None,
    accepted_by: str | None = None,
    encoding: str | None = None,
    source: str = "contract",
    **options: Any,
) -> Edition:
    """Load without marts.

    Parameters
    ----------
    limits
        LENIENT loads the valid rows whatever the share of others.
    volume_by
        Who accepts a change of volume.
    accepted_by
        Who lets everything pass that holds the delivery, such as loans without a snapshot.
    """
    overrides = Overrides(limits or {}, accepted_by, encoding, volume_by)
    return load(
        delivery, source, home, build_marts=None, as_of=as_of, overrides=overrides, **options
    )


def rows(edition: Edition, home: Path, sql: str) -> list[dict[str, Any]]:
    """Run a query on an edition."""
    reader = EditionReader(edition.paths(home))
    try:
        return reader.arrow(sql).to_pylist()
    finally:
        reader.close()


def refused(edition: Edition, home: Path) -> list[tuple]:
    """Return (table, line, column, reason) of every rejected row."""
    sql = "select table_name, line, column_name, reason from rejected order by all"
    return [tuple(row.values()) for row in rows(edition, home, sql)]
