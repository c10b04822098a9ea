"""The choices that several boards of the migration page share."""

from __future__ import annotations

from analytics.i18n.text import say
from pages.parts.sections.change import controls
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart


def dimension_picker(
    selection: Selection, metric: str, none: str, default: str = "none"
) -> tuple[str, ...]:
    """Draw a choice of one dimension or none; `none` is the label of the latter."""

    def label(code: str) -> str:
        return none if code == "none" else queries.dimension_name(code, selection.lang)

    dimension = chart.picker(
        selection,
        "split",
        ["none", *controls.dimensions_of(selection, metric)],
        label,
        say("words.split_by", selection.lang),
        default,
    )
    return () if dimension == "none" else (dimension,)
