"""The filters of the selection in words."""

from __future__ import annotations

from analytics.i18n import text
from analytics.metrics.definitions import SPLITS
from pages.parts.state import queries
from pages.parts.state.selection import Choice


def applied_filters(here: Choice) -> list[tuple[str, str]]:
    """(column, words) of every applied filter, the branch path as one."""
    lang, found = here.lang, []
    if here.branch:
        found.append(("branch", " › ".join(queries.tree()[code].name(lang) for code in here.branch)))
    for column, codes in here.where:
        words = queries.labels(column, lang)
        found.append(
            (column, f"{SPLITS[column].name[lang]} = {text.listing([words.get(code, code) for code in codes], lang)}")
        )
    return found
