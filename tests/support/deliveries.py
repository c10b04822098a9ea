"""Tiny deliveries for the tests of loading: a bank of two customers and two loans, told by month-end snapshots."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from data.editions.reader import EditionReader
from data.loading.pipeline import Overrides, load

CUSTOMER = "customer_id,valid_from\nC1,2024-01-01\nC2,2024-01-01\n"
LOAN = "loan_id,customer_id,principal,disbursed_on\nL1,C1,1000.00,2024-01-10\nL2,C2,2000.00,2024-02-10\n"
SNAPSHOT = "as_of,loan_id,balance,days_past_due\n2024-03-31,L1,900.00,0\n2024-03-31,L2,2000.00,31\n"
AS_OF = dt.date(2024, 3, 31)
LENIENT = {"rejects": 1.0, "orphans": 1.0, "conflicts": 1.0}


def write(folder: Path, **tables: str | bytes | None) -> Path:
    """A delivery of CSV files; name=None leaves a table out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        {"customer": CUSTOMER, "loan": LOAN, "loan_snapshot": SNAPSHOT} | tables
    ).items():
        if text is not None:
            (folder / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def manifest(folder: Path, as_of: str = "2024-03-31", **more) -> Path:
    """manifest.json over the files of the folder. more: kind, first, rows (table → rows), totals (table →
    {column: sum})."""
    tables = {}
    for path in sorted(folder.iterdir()):
        if path.name == "manifest.json":
            continue
        entry = {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        if path.stem in more.get("rows", {}):
            entry["rows"] = more["rows"][path.stem]
        tables[path.stem] = {"files": [entry], "totals": more.get("totals", {}).get(path.stem, {})}
    body = {
        "source": "contract",
        "kind": more.get("kind", "full"),
        "as_of": as_of,
        "tables": tables,
    }
    if "first" in more:
        body["from"] = more["first"]
    (folder / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    return folder


def load_tiny(
    folder: Path, home: Path, *, as_of: dt.date | None = AS_OF, limits: dict | None = None, **how
):
    """Load without marts. limits: LENIENT lets refused rows pass, to look at them."""
    overrides = Overrides(limits or {}, how.pop("volume_by", None), how.pop("encoding", None))
    return load(
        folder,
        how.pop("source", "contract"),
        home,
        build_marts=None,
        as_of=as_of,
        overrides=overrides,
        **how,
    )


def rows(edition, home: Path, sql: str) -> list[dict]:
    view = EditionReader(edition.paths(home))
    try:
        return view.arrow(sql).to_pylist()
    finally:
        view.close()


def refused(edition, home: Path) -> list[tuple]:
    """(table, line, column, reason) of every refused row."""
    found = rows(
        edition, home, "select table_name, line, column_name, reason from rejected order by all"
    )
    return [tuple(row.values()) for row in found]
