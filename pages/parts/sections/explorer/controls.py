"""The order of the dimensions, and the path from the whole bank to the current cell."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS
from pages.parts.state import queries
from pages.parts.state.selection import Selection, set_param
from pages.parts.widgets.text import escape_markdown

MAX_LEVELS = 3
# One step of a path: (dimension, code).
PathStep = tuple[str, str]


def dimensions_of(selection: Selection, metric: str) -> list[str]:
    """Return the dimensions that the metric supports and that have values."""
    definition = METRICS[metric]
    dimensions = ["class"] if definition.supports(None) else []
    return dimensions + [
        dimension.id
        for dimension in DIMENSIONS.values()
        if definition.supports(dimension)
        and set(queries.labels(dimension.id, selection.lang)) - {"unknown"}
    ]


def order_picker(selection: Selection, metric: str) -> list[str]:
    """Draw the choice of up to three dimensions; a change of order starts again at the top."""
    dimensions = dimensions_of(selection, metric)
    names = dict(selection.page_params).get("cut", "class,branch_1,product").split(",")
    available = list(dict.fromkeys(name for name in names if name in dimensions))
    order = available[:MAX_LEVELS] or dimensions[:1]
    with st.container(horizontal=True, gap="small"):
        for level in range(min(MAX_LEVELS, len(order) + 1)):
            _level_picker(selection, dimensions, order, level)
    return order


def _level_picker(
    selection: Selection, dimensions: Sequence[str], order: Sequence[str], level: int
) -> None:
    """Draw the choice of the dimension of one level; all but the first may be none."""
    lang = selection.lang
    above = order[:level]
    options = [name for name in dimensions if name not in above]
    if level:
        options.insert(0, "none")
    key = f"cut_{level}_{lang}"
    st.session_state[key] = order[level] if level < len(order) else "none"

    def label(dimension: str) -> str:
        if dimension == "none":
            return say("explorer.none", lang)
        return queries.dimension_name(dimension, lang)

    def write_url() -> None:
        name = st.session_state[key]
        new_order = list(above)
        if name != "none":
            new_order += [name, *(other for other in order[level + 1 :] if other != name)]
        set_param(cut=",".join(new_order), path=None)

    st.selectbox(
        say("explorer.level", lang, level=level + 1),
        options,
        key=key,
        on_change=write_url,
        width=240,
        format_func=label,
    )


def path_of(selection: Selection, order: Sequence[str]) -> list[PathStep]:
    """Return the path from the URL as (dimension, code) per level, up to the first invalid part."""
    path: list[PathStep] = []
    parts = dict(selection.page_params).get("path", "").split("~")
    for part, dimension in zip(parts, order, strict=False):
        name, _, code = part.partition(":")
        if name != dimension or code not in queries.labels(dimension, "en", selection.scheme):
            break
        path.append((dimension, code))
    return path


def go(path: Sequence[PathStep]) -> None:
    """Go to a cell. For callbacks."""
    set_param(path="~".join(f"{dimension}:{code}" for dimension, code in path) or None)


def breadcrumb(selection: Selection, path: Sequence[PathStep]) -> None:
    """Draw the path from the whole bank to the current cell, each step a button back."""
    lang = selection.lang
    names = [say("explorer.whole", lang)]
    for dimension, code in path:
        label = queries.labels(dimension, lang, selection.scheme)[code]
        names.append(f"› {queries.dimension_name(dimension, lang)} · {label}")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for place, name in enumerate(names):
            st.button(
                escape_markdown(name),
                key=f"crumb_{place}_{lang}",
                type="tertiary",
                on_click=go,
                args=(list(path[:place]),),
                disabled=place == len(path),
            )
