"""A chart with its title, alt text, table view, definition and clicks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from analytics.metrics.query import Question
from analytics.presentation import metric_charts
from pages.parts.state import queries
from pages.parts.state.selection import Selection, describe_corrections, set_param
from pages.parts.widgets import definition, drilldown
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
    figure: Mapping[str, Any]
    answer: pd.DataFrame
    question: Question
    dimensions: Sequence[str] = ()
    on_click: Callable[[dict[str, str]], None] | None = None
    draw_table: Callable[[], None] | None = None

    @property
    def section(self) -> str:
        """The name of the section that the chart is drawn in."""
        return f"chart_{self.key}"


def show(
    selection: Selection,
    key: str,
    title: str,
    figure: Mapping[str, Any],
    answer: pd.DataFrame,
    question: Question,
    dimensions: Sequence[str] = (),
    on_click: Callable[[dict[str, str]], None] | None = None,
    draw_table: Callable[[], None] | None = None,
) -> None:
    """Draw a `Chart` in a section of its own, which a click redraws without the page."""
    chart = Chart(key, title, figure, answer, question, dimensions, on_click, draw_table)
    drilldown.rerunnable_section(selection, chart.section, lambda: _draw_chart(selection, chart))


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
    key = drilldown.widget_key(chart.section)

    def open_mark() -> None:
        points = st.session_state[key]["selection"]["points"]
        marks = [point["customdata"] for point in points if point.get("customdata")]
        if not marks:
            return
        codes = marks[0] if isinstance(marks[0], (list, tuple)) else [marks[0]]
        cell = {name: str(code) for name, code in zip(chart.dimensions, codes, strict=False)}
        drilldown.mark_clicked(chart.section)
        if chart.on_click:
            chart.on_click(cell)
        else:
            drilldown.open_cell(chart.question.metric, cell)

    alt = say("figure.alt", lang, title=chart.title)
    draw(chart.figure, key, alt, open_mark if chart.dimensions else None)


def draw(
    figure: Mapping[str, Any], key: str, alt: str, on_select: Callable[[], None] | None = None
) -> None:
    """Draw the figure itself; a click on a mark calls `on_select`."""
    st.plotly_chart(
        metric_charts.to_streamlit(figure),
        theme=None,
        key=key,
        on_select=on_select or "ignore",
        selection_mode="points",
        config=_CONFIG,
        alt=alt,
    )


def table(selection: Selection, answer: pd.DataFrame, question: Question) -> None:
    """Draw the values behind a chart, in full."""
    lang = selection.lang
    metric = METRICS[question.metric]
    out = pd.DataFrame(index=answer.index)
    for dimension in (["as_of"] if "as_of" in answer else []) + list(question.by):
        words = {} if dimension == "as_of" else queries.labels(dimension, lang, selection.scheme)
        head = (
            say("head.as_of", lang)
            if dimension == "as_of"
            else queries.dimension_name(dimension, lang)
        )
        out[head] = [
            text.month(code, lang) if dimension == "as_of" else words.get(code, code)
            for code in answer[dimension]
        ]
    for column, unit in (
        ("value", metric.unit),
        ("numerator", metric.measure),
        ("denominator", metric.measure),
        ("n", "count"),
    ):
        out[say(f"definition.{column}", lang)] = [
            text.exact(value, unit, lang) for value in answer[column]
        ]
    if "change" in answer:
        out[say("table.change", lang)] = [
            str(text.change(value, metric.unit, metric.better, lang)) for value in answer["change"]
        ]
    right = {
        column: st.column_config.Column(alignment="right")
        for column in list(out)[-5 if "change" in answer else -4 :]
    }
    st.dataframe(out, hide_index=True, column_config=right, height="content", alt=metric.name[lang])


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
    requested = dict(selection.page_params).get(name)
    if requested is not None and requested not in options:
        values = {"label": label, "value": requested, "used": words(value)}
        st.info(describe_corrections([("address.unknown_choice", values)], selection.lang))
    return value
