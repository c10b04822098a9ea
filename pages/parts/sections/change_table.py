"""What each part adds to a change as a table with bars in it: a first page draws no chart, whose engine takes longer to
start than everything else on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import attribution
from analytics.analysis.attribution import Bridge
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, Metric
from analytics.metrics.query import Question
from analytics.presentation.theme import bar_svg, theme_for
from pages.parts.sections import change
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, definition, drilldown
from pages.parts.widgets.theme import is_dark

EFFECTS = ("rate_effect", "mix_effect")


def board(selection: Selection, question: Question, before: date, key: str = "effects") -> None:
    """The bridge of `question` by its first split, largest effect first, then the sum. A click opens a part's list."""
    lang, metric, split = selection.lang, METRICS[question.metric], question.by[0]
    with boards.guarded_section(selection, question.metric):
        found = queries.cached_analysis(attribution.bridge, question, before)
        names = queries.labels(split, lang, selection.scheme)
        boards.section_title(change.title(found, names, lang))
        definition.popover(question, lang, key)
        codes = list(found.parts[split])

        def clicked(row: int, _: str) -> None:
            drilldown.open_cell(question.metric, {split: codes[row]} if row < len(codes) else {})

        shown, config = table(found, names, metric, lang, dark=is_dark())
        drilldown.clickable_table(
            selection,
            f"{key}_{question.metric}_{lang}",
            shown,
            clicked,
            row_height=34,
            height="content",
            column_config=config,
            alt=change.title(found, names, lang),
        )
        boards.caption(say("table.click", lang))


def table(
    found: Bridge, names: Mapping[str, str], metric: Metric, lang: str, *, dark: bool = False
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Per part: the figure before and now, each effect in words and as a bar, all on one scale; n of both months."""
    tone, split = theme_for(dark), found.question.by[0]
    effects = ("effect",) if found.rate is None else EFFECTS
    parts = found.parts.to_dict("records")
    whole = found.whole.to_dict() | {effect: float(found.parts[effect].sum()) for effect in effects}
    reach = [float(row[effect]) for row in [*parts, whole] for effect in effects]
    low, high = min(0.0, *reach), max(0.0, *reach)
    rows, config = (
        [],
        {
            "name": st.column_config.TextColumn(
                queries.dimension_name(split, lang), pinned=True, width=104
            )
        },
    )
    for row in [*parts, whole]:
        is_sum = row is whole
        told = {"name": say("table.total", lang) if is_sum else names.get(row[split], row[split])}
        for half in ("value_before", "value"):
            told[half] = text.number(row.get(half), metric.unit, lang)
        for effect in effects:
            moved = text.change(float(row[effect]), metric.unit, metric.better, lang, bare=True)
            told[effect] = moved.words
            colour = tone.ink if is_sum else tone.of(moved.verdict)
            told[f"{effect}_bar"] = bar_svg(float(row[effect]), low, high, colour, tone.faint)
        told["n"] = f"{int(row['n_before']):,} → {int(row['n']):,}"
        rows.append(told)
    heads = {name: say(f"changes.{name}", lang) for name in ("value_before", "value", *effects)} | {
        "n": "n"
    }
    for name, head in heads.items():
        config[name] = st.column_config.Column(head, alignment="right")
    for effect in effects:
        unit = "table.change_points" if metric.unit == "rate" else "table.change"
        config[f"{effect}_bar"] = st.column_config.ImageColumn(say(unit, lang), width=176)
    return pd.DataFrame(rows), config
