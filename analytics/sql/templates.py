"""The one loader of the .sql files under analytics/sql."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from data.editions.sql_templates import fill_placeholders

FOLDER = Path(__file__).parent


def load(name: str, **placeholders: str) -> str:
    """Return the text of analytics/sql/`name`.sql with its placeholders in braces filled.

    Parameters
    ----------
    name
        Path below analytics/sql without its suffix, such as "questions/cohort".
    placeholders
        SQL for each placeholder of the file; values that a user gives are bound, never filled in.

    Raises
    ------
    KeyError
        A placeholder of the file is not given, or one is given that the file does not have.
    """
    return fill_placeholders(_text(name), name, placeholders)


def fragment(name: str) -> str:
    """Return a select list of facts that the build and `analytics.grading.facts` share."""
    return load(f"facts/{name}")


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
