"""The one loader of the .sql files under analytics/sql."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


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
    text = _text(name)
    if unmatched := set(PLACEHOLDER.findall(text)) ^ set(placeholders):
        raise KeyError(f"{name}.sql: placeholders {sorted(unmatched)}")
    return PLACEHOLDER.sub(lambda match: placeholders[match[1]], text)


def fragment(name: str) -> str:
    """Return a select list of facts that the build and `analytics.grading.facts` share."""
    return load(f"facts/{name}")


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
