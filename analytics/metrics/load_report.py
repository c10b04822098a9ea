"""What the loads recorded: row counts by table, rejected rows, and tables without rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analytics.metrics.definitions import METRICS
from analytics.metrics.edition_metadata import INTEREST_COLUMN, metadata
from analytics.sql.templates import load
from data.contract.schema import read_contract
from data.editions.reader import EditionReader, Warehouse

_COUNTS = ("read", "loaded", "rejected", "skipped", "orphans")


def reconciliation(warehouse: Warehouse) -> pd.DataFrame:
    """Return the row counts of every delivery, by table and by raw file of a mapped source.

    Of a raw file `loaded` counts the rows handed to the mapping, which makes the tables of them.

    Returns
    -------
    delivery, as_of, table (or raw file), is_file, read, loaded, rejected, skipped, orphans,
    balanced (read = loaded + rejected + skipped), totals (the control totals as text).
    """
    rows = [
        {"delivery": delivery["delivery"], "as_of": delivery["as_of"], "table": name}
        | {"is_file": kind == "files"}
        | _table_counts(counts)
        for delivery in warehouse.query(load("questions/delivery_tables")).to_dict("records")
        for kind in ("files", "tables")
        for name, counts in _recorded(delivery[kind]).items()
    ]
    columns = ["delivery", "as_of", "table", "is_file", *_COUNTS, "balanced", "totals"]
    return pd.DataFrame(rows, columns=columns)


def _recorded(text: object) -> dict[str, Any]:
    """The counts that a delivery recorded, by name; none where it recorded nothing of the kind."""
    return (json.loads(text) or {}) if isinstance(text, str) else {}


def row_sums(ledger: pd.DataFrame) -> dict[str, int]:
    """Sum the counts of `reconciliation`, every row once.

    The rows of a raw file that reach the mapping are counted in the tables made of them, so of a
    file only the rejected and the skipped rows are added.
    """
    sums = ledger[list(_COUNTS)].astype("int64")
    passed_on = sums["loaded"].where(ledger["is_file"].astype(bool), 0)
    sums = sums.assign(read=sums["read"] - passed_on, loaded=sums["loaded"] - passed_on)
    return {str(name): int(total) for name, total in sums.sum().items()}


def _table_counts(recorded: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: recorded[name] for name in _COUNTS}
    accounted = counts["loaded"] + counts["rejected"] + counts["skipped"]
    totals = [f"{column} {_grouped(total)}" for column, total in recorded["totals"].items()]
    return counts | {"balanced": counts["read"] == accounted, "totals": " · ".join(totals)}


def rejected_rows(warehouse: Warehouse, limit: int = 200) -> pd.DataFrame:
    """Return the rejected rows, newest delivery first.

    Returns
    -------
    delivery, table_name, file, line, column_name, value_masked, reason.
    """
    return warehouse.query(load("questions/refused_rows"), None, limit=limit)


def findings(warehouse: Warehouse) -> pd.DataFrame:
    """Return every remark that the loads recorded, newest delivery first.

    Returns
    -------
    delivery, as_of, table, code, column (empty unless the remark is about one), count, balance
    (CNY, missing where the remark has none), places (the first ones, text), accepted_by (who let
    it pass; empty where nothing was held), has_list (whether the places are stored).
    """
    columns = ["delivery", "as_of", "table", "code", "column", "count", "balance", "places"]
    rows = [
        {"delivery": delivery["delivery"], "as_of": delivery["as_of"], "table": table}
        | _finding(remark)
        for delivery in warehouse.query(load("questions/delivery_tables")).to_dict("records")
        for table, counts in json.loads(delivery["tables"]).items()
        for remark in counts.get("notes", [])
    ]
    return pd.DataFrame(rows, columns=[*columns, "accepted_by", "has_list"])


def _finding(remark: Mapping[str, Any]) -> dict[str, Any]:
    facts = remark.get("facts", {})
    balance = facts.get("balance")
    return {
        "code": remark["code"],
        "column": facts.get("column", ""),
        "count": remark["count"],
        "balance": None if balance is None else float(balance),
        "places": list(facts.get("places", [])),
        "accepted_by": facts.get("accepted_by") or "",
        "has_list": balance is not None,
    }


def finding_places(warehouse: Warehouse, delivery: int, table: str, code: str) -> pd.DataFrame:
    """Return the places of a finding of the book check, at most those that the load stored.

    Returns
    -------
    id, day, value, amount (CNY). Empty for an edition of the time before places were stored.
    """
    if "finding" not in warehouse.tables:
        return pd.DataFrame(columns=["id", "day", "value", "amount"])
    sql = load("questions/finding_places")
    return warehouse.query(sql, None, delivery=delivery, table=table, code=code)


def empty_tables(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return table of the contract without rows → the metrics that need it.

    A bank delivers the history of its loans in one of two ways; the tables of the other way are
    left out. Of snapshots without interest, that column stands for the table payment.
    """
    with warehouse.session() as reader:
        empty = [table for table in read_contract().tables if not _has_rows(reader, table)]
        has_interest = "payment" in metadata(reader).nonempty_tables
    unused = {"loan_snapshot"} if "loan_snapshot" in empty else {"instalment", "payment"}
    absent = {table: _metrics_of(table) for table in empty if table not in unused}
    if "loan_snapshot" not in empty and not has_interest:
        absent[INTEREST_COLUMN] = _metrics_of("payment")
    return absent


def _metrics_of(table: str) -> list[str]:
    """The metrics in use that need a table."""
    return [id for id, metric in METRICS.items() if table in metric.needs and not metric.retired]


def _has_rows(reader: EditionReader, table: str) -> bool:
    if table not in reader.tables:
        return False
    row = reader.one(f"select exists (select 1 from {table})")
    return bool(row and row[0])


def _grouped(total: str) -> str:
    """A total with thousands separators: 1234567.50 → 1,234,567.50."""
    whole, point, cents = str(total).partition(".")
    return f"{int(whole):,}{point}{cents}"
