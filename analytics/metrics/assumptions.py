"""The assumptions behind costs: the edition of data/assumptions.toml in force at a date."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

ASSUMPTIONS = Path(__file__).parents[2] / "data" / "assumptions.toml"


def assumptions(as_of: date) -> dict:
    """The edition of data/assumptions.toml in force: rates a year, CNY a month, `pd` and `provision` by loan class."""
    editions = tomllib.loads(ASSUMPTIONS.read_text(encoding="utf-8"))["edition"]
    return max((e for e in editions if e["effective_on"] <= as_of), key=lambda e: e["effective_on"])
