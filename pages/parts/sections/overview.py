"""What the overview shows: its KPI tiles, the metrics of its board, the effects of the parts, and the alerts."""

from __future__ import annotations

import html
from collections.abc import Mapping
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
from analytics.metrics.query import Question
from analytics.presentation.theme import bar_svg, theme_for
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


def effects_board(
    selection: Selection, question: Question, before: date, key: str = "effects"
) -> None:
    """Draw the bridge by the first dimension, largest effect first, then the total."""
    lang = selection.lang
    metric = METRICS[question.metric]
    dimension = question.by[0]
    with boards.guarded_section(selection, question.metric):
        result = queries.cached_analysis(attribution.bridge, question, before)
        names = queries.labels(dimension, lang, selection.scheme)
        section_title(effects.title(result, names, lang))
        definition.popover(question, lang, key)
        codes = list(result.parts[dimension])

        def open_part(row: int, _: str) -> None:
            drilldown.open_cell(
                question.metric, {dimension: codes[row]} if row < len(codes) else {}
            )

        frame, config = effects_table(result, names, metric, lang, dark=is_dark())
        fragments.clickable_table(
            selection,
            f"{key}_{question.metric}_{lang}",
            frame,
            open_part,
            row_height=34,
            height="content",
            column_config=config,
            alt=effects.title(result, names, lang),
        )
        caption(say("table.click", lang))


def effects_table(
    result: Bridge, names: Mapping[str, str], metric: Metric, lang: str, *, dark: bool = False
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the table and its column settings.

    Per part the value before and now, each effect in words and as a bar on a common scale, and n of
    both months.
    """
    tone = theme_for(dark)
    dimension = result.question.by[0]
    effects = ("effect",) if result.rate is None else EFFECTS
    parts = result.parts.to_dict("records")
    whole = result.whole.to_dict() | {
        effect: float(result.parts[effect].sum()) for effect in effects
    }
    reach = [float(row[effect]) for row in [*parts, whole] for effect in effects]
    low = min(0.0, *reach)
    high = max(0.0, *reach)
    rows = []
    config = {
        "name": st.column_config.TextColumn(
            queries.dimension_name(dimension, lang), pinned=True, width=104
        )
    }
    for row in [*parts, whole]:
        is_sum = row is whole
        line = {
            "name": say("table.total", lang)
            if is_sum
            else names.get(row[dimension], row[dimension])
        }
        for half in ("value_before", "value"):
            line[half] = text.number(row.get(half), metric.unit, lang)
        for effect in effects:
            effect_change = text.change(
                float(row[effect]), metric.unit, metric.better, lang, bare=True
            )
            line[effect] = effect_change.words
            colour = tone.ink if is_sum else tone.verdict_colour(effect_change.verdict)
            line[f"{effect}_bar"] = bar_svg(float(row[effect]), low, high, colour, tone.faint)
        line["n"] = f"{int(row['n_before']):,} → {int(row['n']):,}"
        rows.append(line)
    heads = {name: say(f"changes.{name}", lang) for name in ("value_before", "value", *effects)} | {
        "n": "n"
    }
    for name, head in heads.items():
        config[name] = st.column_config.Column(head, alignment="right")
    for effect in effects:
        unit = "table.change_points" if metric.unit == "rate" else "table.change"
        config[f"{effect}_bar"] = st.column_config.ImageColumn(say(unit, lang), width=176)
    return pd.DataFrame(rows), config


MOST_ALERTS = 5


def alert_list(selection: Selection) -> None:
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
        for place, row in enumerate(alerts.head(MOST_ALERTS).to_dict("records")):
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
    if len(alerts) > MOST_ALERTS:
        caption(say("alert.first", lang, shown=MOST_ALERTS))


def branch_level(selection: Selection) -> str:
    """Return the branch dimension one level below the selected branch."""
    return f"branch_{min(len(selection.branch) + 1, 3)}"


def describe_alert(selection: Selection, row: dict) -> str:
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
