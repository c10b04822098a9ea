"""The cached reports of the page on data: invariants, row counts, rejected rows, editions."""

from __future__ import annotations

from datetime import date

import pandas as pd

from analytics.analysis import invariants
from analytics.analysis.invariants import Check
from analytics.metrics import load_report, targets
from data.editions import store
from data.editions.manifest import Edition
from pages.parts.state.queries import cached_report, home


def checks(as_of: str) -> list[Check]:
    """Check the invariants on this edition at the month end `as_of` (ISO date)."""
    return cached_report(invariants.checks, date.fromisoformat(as_of))


def reconciliation() -> pd.DataFrame:
    """Return per delivery and table the row counts, whether they balance, and the totals."""
    return cached_report(load_report.reconciliation)


def rejected_rows(limit: int = 200) -> pd.DataFrame:
    """Return the rows that the loads of this edition rejected, masked."""
    return cached_report(load_report.rejected_rows, limit)


def findings() -> pd.DataFrame:
    """Return the remarks of the loads of this edition, those of the book check included."""
    return cached_report(load_report.findings)


def finding_places(delivery: int, table: str, code: str) -> pd.DataFrame:
    """Return the places of a finding of the book check."""
    return cached_report(load_report.finding_places, delivery, table, code)


def unknown_targets() -> list[str]:
    """Return the codes of the target table that name no metric."""
    return cached_report(targets.unknown_metrics)


def history() -> list[Edition]:
    """Return the retained editions, newest first."""
    return list(reversed(store.history(home())))
