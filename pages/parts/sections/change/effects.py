"""The effects of the parts on a change: the bridge of one or two dimensions, and its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import attribution
from analytics.analysis.attribution import Bridge, cells_of
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, Metric
from analytics.metrics.question import Question
from analytics.presentation import change_charts
from pages.parts.state import queries
from pages.parts.state.selection import Selection, set_param
from pages.parts.widgets import boards, chart, drilldown, tables
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

_EFFECTS = ("rate_effect", "mix_effect", "effect")


@dataclass(frozen=True)
class _Parts:
    """The parts of one dimension, as `Bridge.parts`, with code → words of the dimension."""

    question: Question
    frame: pd.DataFrame
    dimension: str
    names: Mapping[str, str]

    @property
    def metric(self) -> Metric:
        return METRICS[self.question.metric]

    def name(self, row: Mapping[Any, Any] | pd.Series) -> str:
        """Return the words of a row's part."""
        return self.names.get(row[self.dimension], row[self.dimension])

    def totals(self) -> dict[str, float | None]:
        """Return effect → its sum over the parts; None for an effect that the metric lacks."""
        return {
            column: None if self.frame[column].isna().all() else float(self.frame[column].sum())
            for column in _EFFECTS
        }


def show(
    selection: Selection, question: Question, before: date, key: str = "bridge", opens: str = "part"
) -> None:
    """Draw the effects of the parts; a click opens a list.

    With a second dimension the part of the largest cell is expanded, and a click expands another
    one (URL parameter `opens`).
    """
    lang = selection.lang
    with boards.guarded_section(selection, question.metric):
        bridge = queries.cached_analysis(attribution.bridge, question, before)
        dimension = question.by[0]
        names = queries.labels(dimension, lang, selection.scheme)
        has_second = len(question.by) == 2

        def open_part(cell: dict[str, str]) -> None:
            if cell[dimension] and has_second:
                set_param(**{opens: cell[dimension]})
            elif cell[dimension]:
                drilldown.open_cell(question.metric, cell)

        if has_second:
            _largest_cell_title(selection, bridge)
        parts = _Parts(question, bridge.parts, dimension, names)
        _draw(selection, key, title(bridge, names, lang), parts, open_part)
        caption(say("changes.click_down" if has_second else "words.click_list", lang))
        if bridge.cells is not None and len(bridge.cells):
            code = dict(selection.page_params).get(opens, "")
            if code not in set(bridge.parts[dimension]):
                code = str(bridge.cells.iloc[0][dimension])
            _draw_inside(selection, f"{key}_inside", bridge, code, names.get(code, code))


def title(bridge: Bridge, names: Mapping[str, str], lang: str) -> str:
    """Return the title of the chart: the change and its largest part."""
    metric = METRICS[bridge.question.metric]
    top = bridge.parts.iloc[0]
    code = top[bridge.question.by[0]]
    return say(
        "changes.title",
        lang,
        metric=metric.name[lang],
        change=text.change(bridge.change, metric.unit, metric.better, lang).words,
        top=names.get(code, code),
        effect=text.change(top["effect"], metric.unit, metric.better, lang).words,
    )


def _largest_cell_title(selection: Selection, bridge: Bridge) -> None:
    """Draw the title: the cell of both dimensions that changed the metric most."""
    lang = selection.lang
    metric = METRICS[bridge.question.metric]
    if bridge.cells is None or bridge.cells.empty:
        return
    top = bridge.cells.iloc[0]
    names = [
        queries.labels(dimension, lang, selection.scheme).get(top[dimension], top[dimension])
        for dimension in bridge.question.by
    ]
    effect = text.change(top["effect"], metric.unit, metric.better, lang)
    section_title(say("changes.largest_cell", lang, cell=" · ".join(names), effect=effect.words))


def _draw_inside(selection: Selection, key: str, bridge: Bridge, code: str, name: str) -> None:
    """Draw the effects within one part of the first dimension, by the second."""
    lang = selection.lang
    first, dimension = bridge.question.by
    metric = METRICS[bridge.question.metric]
    names = queries.labels(dimension, lang, selection.scheme)
    cells = cells_of(bridge, code)
    part = bridge.parts[bridge.parts[first] == code].iloc[0]
    top = cells.iloc[0]
    message = say(
        "changes.inside",
        lang,
        name=name,
        effect=text.change(part["effect"], metric.unit, metric.better, lang).words,
        top=names.get(top[dimension], top[dimension]),
        size=text.change(top["effect"], metric.unit, "neither", lang).words,
    )

    def open_cell(cell: dict[str, str]) -> None:
        if cell[dimension]:
            drilldown.open_cell(bridge.question.metric, {first: code, **cell})

    parts = _Parts(bridge.question, cells, dimension, names)
    _draw(selection, key, message, parts, open_cell)


def _draw(
    selection: Selection,
    key: str,
    message: str,
    parts: _Parts,
    open_part: Callable[[dict[str, str]], None],
) -> None:
    figure = change_charts.effects(
        parts.frame,
        parts.totals(),
        parts.metric,
        parts.dimension,
        parts.names,
        selection.lang,
        dark=is_dark(),
    )
    chart.show(
        selection,
        chart.Chart(
            key,
            message,
            figure=figure,
            answer=parts.frame,
            question=parts.question.with_changes(by=(parts.dimension,)),
            dimensions=(parts.dimension,),
            on_click=open_part,
            draw_table=lambda: _table(parts, selection.lang),
        ),
    )


def _table(parts: _Parts, lang: str) -> None:
    """Draw the values behind the effects, with a row of totals."""
    name_head = queries.dimension_name(parts.dimension, lang)
    lines = [
        {name_head: _name_and_state(parts, row, lang)} | _table_row(row, parts.metric, lang)
        for row in parts.frame.to_dict("records")
    ]
    total = {name_head: say("table.total", lang)}
    lines.append(total | _table_row(parts.totals(), parts.metric, lang))
    frame = pd.DataFrame(lines)
    st.dataframe(
        frame,
        hide_index=True,
        column_config=tables.right_aligned(list(frame)[1:]),
        height="content",
        alt=parts.metric.name[lang],
    )


def _name_and_state(parts: _Parts, row: Mapping[Any, Any], lang: str) -> str:
    state = say(f"changes.{row['state']}", lang) if row.get("state") else ""
    return f"{parts.name(row)} {state}".strip()


def _table_row(row: Mapping[Any, Any], metric: Metric, lang: str) -> dict[str, str]:
    """Return head → words: values, effects, shares and n; a row of totals has only effects."""
    line = {}
    for column in ("value_before", "value"):
        line[say(f"changes.{column}", lang)] = text.number(row.get(column), metric.unit, lang)
    for effect in _EFFECTS:
        change = text.change(row[effect], metric.unit, metric.better, lang)
        line[say(f"changes.{effect}", lang)] = change.words
    for column in ("share_before", "share"):
        line[say(f"changes.{column}", lang)] = text.number(row.get(column), "rate", lang)
    line["n"] = _both_counts(row, lang)
    return line


def _both_counts(row: Mapping[Any, Any], lang: str) -> str:
    n = row.get("n")
    if n is None:
        return ""
    words = f"{int(row['n_before']):,} → {int(n):,}"
    if min(n, row["n_before"]) < MIN_GROUP_SIZE:
        words += f" {say('figure.few', lang)}"
    return words
