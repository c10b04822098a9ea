"""The rulebooks in force: read once, with the copies that graded the data as a fallback."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from analytics import rulebooks
from data.errors import UserError

_KEPT: dict[tuple[str, str], str] = {}


@lru_cache(maxsize=1)
def schemes() -> Mapping[str, Any]:
    """The rulebooks by scheme, read once.

    A file that is refused leaves the edition before it, or the text of it that graded the data
    (`keep`), in force.
    """
    try:
        return rulebooks.read_valid_schemes(rulebooks.FOLDER, _KEPT)[0]
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_refused", reason=error) from error


def kept_rulebooks(bank) -> dict[tuple[str, str], str]:
    """The rulebooks that graded the edition served: text by (scheme, effective date)."""
    if "rulebook" not in bank.tables:
        return {}
    rows = bank.query(
        "select scheme, cast(effective_on as varchar) as effective_on, text from rulebook"
    )
    return {(row.scheme, row.effective_on): row.text for row in rows.itertuples()}


def keep(bank) -> None:
    """Let the rulebooks that graded the edition served stand in for files that are refused now."""
    _KEPT.update(kept_rulebooks(bank))
    schemes.cache_clear()
