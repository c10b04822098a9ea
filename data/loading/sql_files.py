"""The .sql files of this package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from data.editions.sql_templates import fill_placeholders

FOLDER = Path(__file__).parent


def load_sql(name: str, /, **placeholders: str) -> str:
    """Return the text of data/loading/`name`.sql with its placeholders filled."""
    return fill_placeholders(_text(name), name, placeholders)


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
