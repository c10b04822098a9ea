"""A chart with its title, alt text, table view, definition and clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from analytics.metrics.question import Question
from analytics.presentation import plotly_figures
from analytics.presentation.marks import Figure
from pages.parts.state import queries
from pages.parts.state.selection import Selection, describe_corrections, set_param
from pages.parts.widgets import definition, drilldown, fragments, tables
from pages.parts.widgets.text import caption, section_title

_CONFIG = {
    "displayModeBar": False,
    "displaylogo": False,
    "scrollZoom": False,
    "showTips": False,
    "responsive": True,
}


@dataclass(frozen=True)
class Chart:
    """A figure with what belongs to it.

    Parameters
    ----------
    key
        Names the chart on its page.
    title
        A sentence; empty for none.
    figure, answer
        The figure, and the answer to `question` that it is made from.
    dimensions
        What the customdata of a mark stands for, in its order, such as ("class",) or ("as_of",).
        A click opens the list of that cell, or calls `on_click` with {dimension: code}.
    draw_table
        Draws the table view of a figure that shows more than one metric.
    """

    key: str
    title: str
    figure: Figure
    answer: pd.DataFrame
    question: Question
    dimensions: Sequence[str] = ()
    on_click: Callable[[dict[str, str]], None] | None = None
    draw_table: Callable[[], None] | None = None

    @property
    def section(self) -> str:
        """The name of the section that the chart is drawn in."""
        return f"chart_{self.key}"


def show(selection: Selection, chart: Chart) -> None:
    """Draw a chart in a section of its own, which a click redraws without the page."""
    fragments.rerunnable_section(selection, chart.section, lambda: _draw_chart(selection, chart))


def _draw_chart(selection: Selection, chart: Chart) -> None:
    lang = selection.lang
    with st.container(gap="xsmall"):
        if chart.title:
            section_title(chart.title)
        if chart.answer.empty:
            caption(say("figure.nobody", lang))
            return
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            kind = st.segmented_control(
                say("figure.show_as", lang),
                ["chart", "table"],
                default="chart",
                required=True,
                key=f"kind_{chart.key}_{lang}",
                format_func=lambda code: say(f"figure.{code}", lang),
                label_visibility="collapsed",
            )
            definition.popover(chart.question, lang, chart.key)
        if kind == "chart":
            _draw_figure(chart, lang)
        elif chart.draw_table:
            chart.draw_table()
        else:
            table(selection, chart.answer, chart.question)


def _draw_figure(chart: Chart, lang: str) -> None:
    key = fragments.widget_key(chart.section)

    def open_mark() -> None:
        points = st.session_state[key]["selection"]["points"]
        marks = [point["customdata"] for point in points if point.get("customdata")]
        if not marks:
            return
        codes = marks[0] if isinstance(marks[0], (list, tuple)) else [marks[0]]
        cell = {name: str(code) for name, code in zip(chart.dimensions, codes, strict=False)}
        fragments.mark_clicked(chart.section)
        if chart.on_click:
            chart.on_click(cell)
        else:
            drilldown.open_cell(chart.question.metric, cell)

    alt = say("figure.alt", lang, title=chart.title)
    draw(chart.figure, key, alt, open_mark if chart.dimensions else None)


def draw(figure: Figure, key: str, alt: str, on_select: Callable[[], None] | None = None) -> None:
    """Draw the figure itself; a click on a mark calls `on_select`."""
    settings: dict[str, Any] = {"selection_mode": "points", "config": _CONFIG, "alt": alt}
    if on_select is not None:
        settings["on_select"] = on_select
    st.plotly_chart(plotly_figures.to_streamlit(figure), theme=None, key=key, **settings)


def table(selection: Selection, answer: pd.DataFrame, question: Question) -> None:
    """Draw the values behind a chart, in full."""
    lang = selection.lang
    metric = METRICS[question.metric]
    frame = pd.DataFrame(index=answer.index)
    if "as_of" in answer:
        frame[say("head.as_of", lang)] = [text.month(day, lang) for day in answer["as_of"]]
    for dimension in question.by:
        words = queries.labels(dimension, lang, selection.scheme)
        head = queries.dimension_name(dimension, lang)
        frame[head] = [words.get(code, code) for code in answer[dimension]]
    numbers = []
    for column, unit in (
        ("value", metric.unit),
        ("numerator", metric.measure),
        ("denominator", metric.measure),
        ("n", "count"),
    ):
        numbers.append(say(f"definition.{column}", lang))
        frame[numbers[-1]] = [text.exact(value, unit, lang) for value in answer[column]]
    if "change" in answer:
        numbers.append(say("table.change", lang))
        frame[numbers[-1]] = [
            str(text.change(value, metric.unit, metric.better, lang)) for value in answer["change"]
        ]
    st.dataframe(
        frame,
        hide_index=True,
        column_config=tables.right_aligned(numbers),
        height="content",
        alt=metric.name[lang],
    )


def picker(
    selection: Selection,
    name: str,
    options: Sequence[str],
    words: Callable[[str], str],
    label: str,
    default: str | None = None,
) -> str:
    """Draw a row of options kept in the URL, such as the metric or dimension; return the value.

    `default` is the first option unless named.
    """
    key = f"pick_{name}_{selection.lang}"
    value = _valid_option(selection, name, options, words, label, default)
    st.session_state[key] = value

    def write_url() -> None:
        set_param(**{name: st.session_state[key]})

    st.segmented_control(
        label,
        options,
        key=key,
        format_func=words,
        on_change=write_url,
        required=True,
        label_visibility="collapsed",
    )
    return value


def chooser(
    selection: Selection,
    name: str,
    options: Sequence[str],
    words: Callable[[str], str],
    label: str,
) -> str:
    """Draw a select box kept in the URL, for more options than fit in a row; return the value."""
    key = f"choose_{name}_{selection.lang}"
    st.session_state[key] = _valid_option(selection, name, options, words, label)

    def write_url() -> None:
        set_param(**{name: st.session_state[key]})

    st.selectbox(label, options, key=key, format_func=words, width=420, on_change=write_url)
    return st.session_state[key]


def _valid_option(
    selection: Selection,
    name: str,
    options: Sequence[str],
    words: Callable[[str], str],
    label: str,
    default: str | None = None,
) -> str:
    """Return the option that the URL names; an unknown one gives the default and a notice."""
    value = selection.page_param(name, options, default)
    url_value = dict(selection.page_params).get(name)
    if url_value is not None and url_value not in options:
        values = {"label": label, "value": url_value, "used": words(value)}
        st.info(describe_corrections([("address.unknown_choice", values)], selection.lang))
    return value
