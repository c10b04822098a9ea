"""So what: where a figure stands beyond its red line or short of its target, each with the list behind it."""

from __future__ import annotations

import html

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics import targets
from analytics.metrics.definitions import METRICS
from analytics.presentation.theme import theme_for
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, drilldown
from pages.parts.widgets.theme import is_dark

MOST = 5


def show(selection: Selection) -> None:
    """At most five, the farthest first: of the place that is looked at and of the branches one level below."""
    lang, question = selection.lang, queries.question_for(selection, "customers", compare=False)
    if selection.where:
        boards.caption(say("alert.narrowed", lang))
        return
    by = below(selection)
    found = queries.cached_analysis(targets.missed, question, by)
    if found.empty:
        if "target" in queries.empty_tables():
            boards.caption(say("alert.unset", lang))
        else:
            boards.section_title(say("alert.none", lang))
        return
    beyond = int(found["is_beyond"].sum())
    boards.section_title(say("alert.title", lang, beyond=beyond, short=len(found) - beyond))
    tone = theme_for(is_dark())

    def draw() -> None:
        for place, row in enumerate(found.head(MOST).to_dict("records")):
            cell = {by: row["branch"]} if row["branch"] != targets.WHOLE else {}
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                colour = tone.bad if row["is_beyond"] else tone.ink
                st.html(
                    f'<p class="lp-alert" style="border-color:{colour}">{html.escape(words(selection, row))}</p>'
                )
                st.button(
                    say("tile.list", lang),
                    key=f"alert_{place}_{lang}",
                    type="tertiary",
                    on_click=drilldown.open_cell,
                    args=(row["metric"], cell),
                )

    drilldown.rerunnable_section(selection, f"alerts_{lang}", draw)
    if len(found) > MOST:
        boards.caption(say("alert.first", lang, shown=MOST))


def below(selection: Selection) -> str:
    """The level of branches under the one that is looked at."""
    return f"branch_{min(len(selection.branch) + 1, 3)}"


def words(selection: Selection, row: dict) -> str:
    """One alert in a sentence."""
    lang, metric, tree = selection.lang, METRICS[row["metric"]], queries.branch_tree()
    code = row["branch"] or (selection.branch[-1] if selection.branch else "")
    line = row["red_line"] if row["is_beyond"] else row["target"]
    side = "over" if metric.better == "lower" else "under"
    return say(
        f"alert.{side if row['is_beyond'] else 'short'}",
        lang,
        metric=metric.name[lang],
        name=tree[code].name(lang) if code in tree else say("head.all_branches", lang),
        value=text.number(row["value"], metric.unit, lang),
        line=text.number(line, metric.unit, lang),
        gap=text.change(row["gap"], metric.unit, "neither", lang).words[1:],
    )
