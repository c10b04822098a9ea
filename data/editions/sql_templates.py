"""Placeholders in the text of .sql files."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def fill_placeholders(text: str, name: str, placeholders: Mapping[str, str]) -> str:
    """Return the text with its placeholders in braces filled.

    Parameters
    ----------
    name
        The file, for the message of an error.
    placeholders
        SQL for each placeholder of the text; values that a user gives are bound, never filled in.

    Raises
    ------
    KeyError
        A placeholder of the text is not given, or one is given that the text does not have.
    """
    if unmatched := set(PLACEHOLDER.findall(text)) ^ set(placeholders):
        raise KeyError(f"{name}.sql: placeholders {sorted(unmatched)}")
    return PLACEHOLDER.sub(lambda match: placeholders[match[1]], text)
