"""The one loader of the .sql files under analytics/sql."""

from __future__ import annotations

from pathlib import Path

FACTS = Path(__file__).parents[1] / "sql" / "facts"


def fragment(name: str) -> str:
    """The select list of facts that the build and `analytics.grading.facts` share, from analytics/sql/facts."""
    return (FACTS / f"{name}.sql").read_text(encoding="utf-8")
