"""The filters of the selection in words."""

from __future__ import annotations

from analytics.i18n import text
from analytics.metrics.definitions import DIMENSIONS
from pages.parts.state import queries
from pages.parts.state.selection import Selection


def applied_filters(selection: Selection) -> list[tuple[str, str]]:
    """Return (column, words) of every applied filter; the branch path is one of them."""
    lang = selection.lang
    filters = []
    if selection.branch:
        tree = queries.branch_tree()
        filters.append(("branch", " › ".join(tree[code].name(lang) for code in selection.branch)))
    for column, codes in selection.where:
        words = queries.labels(column, lang)
        values = text.listing([words.get(code, code) for code in codes], lang)
        filters.append((column, f"{DIMENSIONS[column].name[lang]} = {values}"))
    return filters
