"""The board of one level: its title, its parts in the chosen display, and the way down."""

from __future__ import annotations

from datetime import date

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from pages.parts.sections.explorer import charts, heatmap, parts_table
from pages.parts.sections.explorer.level import Level, Parts, read_parts
from pages.parts.widgets import boards, drilldown
from pages.parts.widgets.text import caption, section_title

# What the URL parameter `view` may be; the first by default.
DISPLAYS = ("table", "bars", "heat", "trend")
_MARKS = {"bars": "bar", "trend": "line"}


def show(level: Level, before: date, display: str) -> None:
    """Draw one level: its parts in one of DISPLAYS, each with a way down."""
    lang = level.lang
    with boards.guarded_section(level.selection, level.metric):
        question = level.question(level.dimension)
        parts = read_parts(question, before, lang)
        section_title(_title(level, parts))
        below = level.next_dimension
        if display == "bars":
            charts.bars(level, question)
        elif display == "heat" and below is not None:
            heatmap.show(level, level.dimension, below)
        elif display == "trend":
            charts.trend(level, question, parts)
        else:
            if display == "heat":
                caption(say("explorer.two", lang))
            parts_table.show(level, parts)
        caption(_hint(level, display), parts.reason)
        st.button(
            say("explorer.list", lang),
            key=f"cut_list_{lang}",
            type="tertiary",
            on_click=drilldown.open_cell,
            args=(level.metric, dict(level.path)),
        )


def _title(level: Level, parts: Parts) -> str:
    """Return the metric, with the part that changed it most where two months are compared."""
    lang = level.lang
    metric = level.definition
    top = parts.largest_effect()
    if top is None:
        return metric.name[lang]
    code = top[level.dimension]
    effect = text.change(top["effect"], metric.unit, metric.better, lang)
    return say(
        "explorer.title",
        lang,
        metric=metric.name[lang],
        name=level.names().get(code, code),
        effect=effect.words,
    )


def _hint(level: Level, display: str) -> str:
    """Return what a click on a part does; the heat map says so itself."""
    mark = _MARKS.get(display, "row")
    if level.is_last:
        return say(f"explorer.click_{mark}_list", level.lang)
    return "" if display == "heat" else say(f"explorer.click_{mark}", level.lang)
