"""The filters of the selection in words."""

from __future__ import annotations

from analytics.i18n import text
from analytics.metrics.definitions import SPLITS
from pages.parts.state import queries
from pages.parts.state.selection import Selection


def applied_filters(selection: Selection) -> list[tuple[str, str]]:
    """(column, words) of every applied filter, the branch path as one."""
    lang, found = selection.lang, []
    if selection.branch:
        found.append(
            (
                "branch",
                " › ".join(queries.branch_tree()[code].name(lang) for code in selection.branch),
            )
        )
    for column, codes in selection.where:
        words = queries.labels(column, lang)
        found.append(
            (
                column,
                f"{SPLITS[column].name[lang]} = {text.listing([words.get(code, code) for code in codes], lang)}",
            )
        )
    return found
