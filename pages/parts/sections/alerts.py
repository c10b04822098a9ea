"""Alerts: metrics beyond their red line or short of their target, each with its list."""

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
from pages.parts.widgets import drilldown
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

MOST = 5


def show(selection: Selection) -> None:
    """Draw at most five alerts of the selected branch and the level below, the farthest first."""
    lang = selection.lang
    question = queries.question_for(selection, "customers", compare=False)
    if selection.where:
        caption(say("alert.narrowed", lang))
        return
    by = branch_level(selection)
    alerts = queries.cached_analysis(targets.breaches, question, by)
    if alerts.empty:
        if "target" in queries.empty_tables():
            caption(say("alert.unset", lang))
        else:
            section_title(say("alert.none", lang))
        return
    beyond = int(alerts["is_beyond"].sum())
    section_title(say("alert.title", lang, beyond=beyond, short=len(alerts) - beyond))
    tone = theme_for(is_dark())

    def draw() -> None:
        for place, row in enumerate(alerts.head(MOST).to_dict("records")):
            cell = {by: row["branch"]} if row["branch"] != targets.WHOLE else {}
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                colour = tone.bad if row["is_beyond"] else tone.ink
                words = html.escape(describe(selection, row))
                st.html(f'<p class="lp-alert" style="border-color:{colour}">{words}</p>')
                st.button(
                    say("tile.list", lang),
                    key=f"alert_{place}_{lang}",
                    type="tertiary",
                    on_click=drilldown.open_cell,
                    args=(row["metric"], cell),
                )

    drilldown.rerunnable_section(selection, f"alerts_{lang}", draw)
    if len(alerts) > MOST:
        caption(say("alert.first", lang, shown=MOST))


def branch_level(selection: Selection) -> str:
    """Return the branch dimension one level below the selected branch."""
    return f"branch_{min(len(selection.branch) + 1, 3)}"


def describe(selection: Selection, row: dict) -> str:
    """Return one alert as a sentence."""
    lang = selection.lang
    metric = METRICS[row["metric"]]
    tree = queries.branch_tree()
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
