"""The rulebooks in force: read once, with the copies that graded the data as a fallback."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from analytics import rulebooks
from data.editions.reader import Warehouse
from data.errors import UserError

_STORED_TEXTS: dict[tuple[str, str], str] = {}


@lru_cache(maxsize=1)
def schemes() -> Mapping[str, rulebooks.Scheme]:
    """Return the rulebooks by scheme, read once.

    A file that is refused leaves the edition before it, or the text of it that graded the data
    (`use_stored_rulebooks`), in force.
    """
    try:
        return rulebooks.read_valid_schemes(rulebooks.FOLDER, _STORED_TEXTS)[0]
    except rulebooks.RulebookError as error:
        raise UserError("rulebook_refused", reason=error) from error


def stored_rulebooks(warehouse: Warehouse) -> dict[tuple[str, str], str]:
    """Return the rulebooks that graded the edition served: text by (scheme, effective date)."""
    if "rulebook" not in warehouse.tables:
        return {}
    rows = warehouse.query(
        "select scheme, cast(effective_on as varchar) as effective_on, text from rulebook"
    )
    keys = zip(rows["scheme"], rows["effective_on"], strict=True)
    return dict(zip(keys, rows["text"], strict=True))


def use_stored_rulebooks(warehouse: Warehouse) -> None:
    """Let the rulebooks that graded the edition served stand in for files that are refused now."""
    _STORED_TEXTS.update(stored_rulebooks(warehouse))
    schemes.cache_clear()
