"""The overview: metrics of its KPI tiles and its board, the effects of the parts, the alerts."""

from __future__ import annotations

import html
from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import attribution
from analytics.analysis.attribution import Bridge
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics import targets
from analytics.metrics.definitions import METRICS, Metric
from analytics.metrics.question import Question
from analytics.presentation.theme import Theme, bar_svg, theme_for
from pages.parts.sections.change import effects
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, definition, drilldown, fragments
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

KPI_METRICS = (
    "customers",
    "overdue_rate_30",
    "npl_ratio",
    "reloan_rate_90",
    "contribution_net",
    "net_upgraded",
)
# Tile → the metric printed beside its value.
SECONDARY_METRICS = {
    "customers": "balance",
    "overdue_rate_30": "overdue_rate",
    "npl_ratio": "recognition_deviation",
    "reloan_rate_90": "lost_rate",
    "contribution_net": "contribution_gross",
    "net_upgraded": "new_customers",
}
SIZE_METRIC = "customers"
BOARD_METRICS = ("overdue_rate_30", "reloan_rate_90", "contribution_net")
EFFECTS = ("rate_effect", "mix_effect")
MAX_ALERTS = 5


def effects_board(
    selection: Selection, question: Question, before: date, key: str = "effects"
) -> None:
    """Draw the bridge by the first dimension, largest effect first, then the total."""
    lang = selection.lang
    metric = METRICS[question.metric]
    dimension = question.by[0]
    with boards.guarded_section(selection, question.metric):
        bridge = queries.cached_analysis(attribution.bridge, question, before)
        names = queries.labels(dimension, lang, selection.scheme)
        title = effects.title(bridge, names, lang)
        section_title(title)
        definition.popover(question, lang, key)
        codes = list(bridge.parts[dimension])

        def open_part(row: int, _: str) -> None:
            # The last row is the total.
            cell = {dimension: codes[row]} if row < len(codes) else {}
            drilldown.open_cell(question.metric, cell)

        frame, config = effects_table(bridge, names, metric, lang, dark=is_dark())
        fragments.clickable_table(
            selection,
            f"{key}_{question.metric}_{lang}",
            frame,
            open_part,
            row_height=34,
            height="content",
            column_config=config,
            alt=title,
        )
        caption(say("table.click", lang))


def effects_table(
    bridge: Bridge, names: Mapping[str, str], metric: Metric, lang: str, *, dark: bool = False
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table and its column settings.

    Per part the value before and now, each effect in words and as a bar on a common scale, and n of
    both months.
    """
    dimension = bridge.question.by[0]
    columns = ("effect",) if bridge.rate is None else EFFECTS
    parts = bridge.parts.to_dict("records")
    whole = bridge.whole.to_dict()
    for effect in columns:
        whole[effect] = float(bridge.parts[effect].sum())
    values = [float(row[effect]) for row in [*parts, whole] for effect in columns]
    scale = (min(0.0, *values), max(0.0, *values))
    tone = theme_for(dark)
    rows = []
    for row in parts:
        name = names.get(row[dimension], row[dimension])
        rows.append({"name": name} | _effects_row(row, columns, metric, scale, tone, lang))
    total = _effects_row(whole, columns, metric, scale, tone, lang, is_total=True)
    rows.append({"name": say("table.total", lang)} | total)
    return pd.DataFrame(rows), _effects_columns(dimension, columns, metric, lang)


def _effects_row(
    row: Mapping[Any, Any],
    columns: Sequence[str],
    metric: Metric,
    scale: tuple[float, float],
    tone: Theme,
    lang: str,
    *,
    is_total: bool = False,
) -> dict[str, str]:
    """Return column → words or SVG; `scale` has the ends of the common scale of the bars."""
    line = {
        column: text.number(row.get(column), metric.unit, lang)
        for column in ("value_before", "value")
    }
    low, high = scale
    for effect in columns:
        size = float(row[effect])
        change = text.change(size, metric.unit, metric.better, lang, bare=True)
        colour = tone.ink if is_total else tone.verdict_colour(change.verdict)
        line[effect] = change.words
        line[f"{effect}_bar"] = bar_svg(size, low, high, colour, tone.faint)
    line["n"] = f"{int(row['n_before']):,} → {int(row['n']):,}"
    return line


def _effects_columns(
    dimension: str, columns: Sequence[str], metric: Metric, lang: str
) -> dict[str, Any]:
    name = queries.dimension_name(dimension, lang)
    config: dict[str, Any] = {"name": st.column_config.TextColumn(name, pinned=True, width=104)}
    for column in ("value_before", "value", *columns):
        head = say(f"changes.{column}", lang)
        config[column] = st.column_config.Column(head, alignment="right")
    config["n"] = st.column_config.Column("n", alignment="right")
    unit = say("table.change_points" if metric.unit == "rate" else "table.change", lang)
    for effect in columns:
        config[f"{effect}_bar"] = st.column_config.ImageColumn(unit, width=176)
    return config


def alert_list(selection: Selection) -> None:
    """Draw at most five alerts of the selected branch and the level below, the farthest first."""
    lang = selection.lang
    question = queries.question_for(selection, "customers", compare=False)
    if selection.where:
        caption(say("alert.narrowed", lang))
        return
    by = selection.branch_dimension
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
        for place, row in enumerate(alerts.head(MAX_ALERTS).to_dict("records")):
            cell = {by: row["branch"]} if row["branch"] != targets.WHOLE else {}
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                colour = tone.bad if row["is_beyond"] else tone.ink
                words = html.escape(describe_alert(selection, row))
                st.html(f'<p class="lp-alert" style="border-color:{colour}">{words}</p>')
                st.button(
                    say("tile.list", lang),
                    key=f"alert_{place}_{lang}",
                    type="tertiary",
                    on_click=drilldown.open_cell,
                    args=(row["metric"], cell),
                )

    fragments.rerunnable_section(selection, f"alerts_{lang}", draw)
    if len(alerts) > MAX_ALERTS:
        caption(say("alert.first", lang, shown=MAX_ALERTS))


def describe_alert(selection: Selection, row: Mapping[Hashable, Any]) -> str:
    """Return one alert as a sentence."""
    lang = selection.lang
    metric = METRICS[row["metric"]]
    tree = queries.branch_tree()
    code = row["branch"] or (selection.branch[-1] if selection.branch else "")
    limit = row["target"]
    key = "alert.short"
    if row["is_beyond"]:
        limit = row["red_line"]
        key = "alert.over" if metric.better == "lower" else "alert.under"
    return say(
        key,
        lang,
        metric=metric.name[lang],
        name=tree[code].name(lang) if code in tree else say("head.all_branches", lang),
        value=text.number(row["value"], metric.unit, lang),
        line=text.number(limit, metric.unit, lang),
        gap=text.change(row["gap"], metric.unit, "neither", lang).words[1:],
    )
