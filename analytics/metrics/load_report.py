"""What a ratio cannot say: shares of a whole, what a load refused, what is absent, and the invariants on the data."""

from __future__ import annotations

import json

import pandas as pd

from analytics.metrics.definitions import METRICS
from analytics.sql.templates import load
from data.contract.schema import read_contract
from data.editions.reader import Warehouse


def reconciliation(bank: Warehouse) -> pd.DataFrame:
    """Per delivery and table what was read, loaded, rejected, skipped and orphaned, with the control totals in words.

    Columns: delivery, as_of, table, read, loaded, rejected, skipped, orphans, balanced, totals.
    """
    found = []
    for delivery in bank.query(load("questions/delivery_tables")).itertuples():
        for table, told in json.loads(delivery.tables).items():
            counts = {
                name: told[name] for name in ("read", "loaded", "rejected", "skipped", "orphans")
            }
            balanced = counts["read"] == counts["loaded"] + counts["rejected"] + counts["skipped"]
            totals = " · ".join(
                f"{column} {_grouped(total)}" for column, total in told["totals"].items()
            )
            about = {"delivery": delivery.delivery, "as_of": delivery.as_of, "table": table}
            found.append(about | counts | {"balanced": balanced, "totals": totals})
    columns = [
        "delivery",
        "as_of",
        "table",
        "read",
        "loaded",
        "rejected",
        "skipped",
        "orphans",
        "balanced",
        "totals",
    ]
    return pd.DataFrame(found, columns=columns)


def refused(bank: Warehouse, limit: int = 200) -> pd.DataFrame:
    """The rows refused at load, newest delivery first.

    Columns: delivery, table_name, file, line, column_name, value_masked, reason.
    """
    return bank.query(load("questions/refused_rows"), None, limit=limit)


def absent(bank: Warehouse) -> dict[str, list[str]]:
    """Contract table without rows → the metrics that need it. A bank tells its history by one of two ways, so the other
    way's tables do not count as absent."""
    with bank.session() as view:
        empty = [
            table
            for table in read_contract().tables
            if table not in view.tables or not view.one(f"select exists (select 1 from {table})")[0]
        ]
    other = {"loan_snapshot"} if "loan_snapshot" in empty else {"instalment", "payment"}
    return {
        table: [
            id for id, metric in METRICS.items() if table in metric.needs and not metric.retired
        ]
        for table in empty
        if table not in other
    }


def _grouped(total: str) -> str:
    whole, _, cents = str(total).partition(".")
    return f"{int(whole):,}" + (f".{cents}" if cents else "")
