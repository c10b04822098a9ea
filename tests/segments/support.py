"""The invented bank whose segments the tests of this package read, and what they share."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from data.editions.reader import EditionReader, Warehouse

ROOT = Path(__file__).parents[2]
# The bank of the fixture `fitted_home`.
CUSTOMERS = 3_000
MONTHS = 28
SEED = 11
LAST = date(2026, 10, 31)


def run_module(*command: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m` with a module and its arguments."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )


def scalar(source: Warehouse | EditionReader, sql: str, **parameters: Any) -> Any:
    """Return the one value of a query."""
    row = source.one(sql, **parameters)
    assert row is not None
    return row[0]


def customer_ids(warehouse: Warehouse) -> pd.Series:
    """Return the bank's own customer number by customer_key."""
    frame = warehouse.query("select customer_key, customer_id from customer_number")
    return frame.set_index("customer_key")["customer_id"]
