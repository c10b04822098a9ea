"""A chart and what belongs to it: a title that says its message, alt text, the table behind it, definition, clicks."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from analytics.metrics.query import Question
from analytics.presentation import metric_charts
from pages.parts.state import queries, selection
from pages.parts.state.selection import Choice
from pages.parts.widgets import definition, drilldown

_CONFIG = {"displayModeBar": False, "displaylogo": False, "scrollZoom": False, "showTips": False, "responsive": True}


def show(
    here: Choice, key: str, title: str, figure: Mapping[str, Any], answer: pd.DataFrame, question: Question,
    splits: Sequence[str] = (), on_pick: Callable[[dict[str, str]], None] | None = None,
    behind: Callable[[], None] | None = None,
) -> None:  # fmt: skip
    """Draw `figure`, made from `answer`, the answer to `question`. `title` is a sentence.

    splits   what a mark's customdata stands for, in its order, such as ("class",) or ("as_of",); a click opens the list
             of that cell, or calls `on_pick` with {split: code}
    behind   draws the table view where the figure shows more than one metric
    """
    name = f"chart_{key}"
    drilldown.part(here, name, lambda: _part(here, name, key, title, figure, answer, question, splits, on_pick, behind))


def _part(here, name, key, title, figure, answer, question, splits, on_pick, behind) -> None:
    lang = here.lang
    with st.container(gap="xsmall"):
        if title:
            st.html(f'<p class="lp-message">{html.escape(title)}</p>')
        if answer.empty:
            st.html(f'<p class="lp-note">{html.escape(say("figure.nobody", lang))}</p>')
            return
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            kind = st.segmented_control(
                say("figure.show_as", lang),
                ["chart", "table"],
                default="chart",
                required=True,
                key=f"kind_{key}_{lang}",
                format_func=lambda code: say(f"figure.{code}", lang),
                label_visibility="collapsed",
            )
            definition.popover(question, lang, key)
        if kind == "table":
            return behind() if behind else table(here, answer, question)
        slot = drilldown.slot(name)

        def picked() -> None:
            points = st.session_state[slot]["selection"]["points"]
            marks = [point["customdata"] for point in points if point.get("customdata")]
            if marks:
                mark = marks[0] if isinstance(marks[0], (list, tuple)) else [marks[0]]
                cell = {split: str(code) for split, code in zip(splits, mark, strict=False)}
                drilldown.mark(name)
                on_pick(cell) if on_pick else drilldown.open_cell(question.metric, cell)

        draw(figure, slot, say("figure.alt", lang, title=title), picked if splits else None)


def draw(figure: Mapping[str, Any], key: str, alt: str, picked: Callable[[], None] | None = None) -> None:
    """The figure itself; a click on a mark calls `picked`."""
    st.plotly_chart(
        metric_charts.sent(figure), theme=None, key=key, on_select=picked or "ignore", selection_mode="points",
        config=_CONFIG, alt=alt,
    )  # fmt: skip


def table(here: Choice, answer: pd.DataFrame, question: Question) -> None:
    """The figures behind a chart, every number written out."""
    lang, metric = here.lang, METRICS[question.metric]
    out = pd.DataFrame(index=answer.index)
    for split in (["as_of"] if "as_of" in answer else []) + list(question.by):
        words = {} if split == "as_of" else queries.labels(split, lang, here.scheme)
        head = say("head.as_of", lang) if split == "as_of" else queries.name_of_split(split, lang)
        out[head] = [text.month(code, lang) if split == "as_of" else words.get(code, code) for code in answer[split]]
    for column, unit in (
        ("value", metric.unit),
        ("numerator", metric.measure),
        ("denominator", metric.measure),
        ("n", "count"),
    ):
        out[say(f"definition.{column}", lang)] = [text.exact(value, unit, lang) for value in answer[column]]
    if "change" in answer:
        out[say("table.change", lang)] = [
            str(text.change(value, metric.unit, metric.better, lang)) for value in answer["change"]
        ]
    right = {
        column: st.column_config.Column(alignment="right") for column in list(out)[-5 if "change" in answer else -4 :]
    }
    st.dataframe(out, hide_index=True, column_config=right, height="content", alt=metric.name[lang])


def picker(
    here: Choice, name: str, options: Sequence[str], words: Callable[[str], str], label: str, default: str | None = None
) -> str:
    """A page's own switch, kept in the URL: which metric, which split. `default` is the first option unless named."""
    key, used = f"pick_{name}_{here.lang}", _picked(here, name, options, words, label, default)
    st.session_state[key] = used

    def chosen() -> None:
        selection.pick(**{name: st.session_state[key]})

    st.segmented_control(
        label, options, key=key, format_func=words, on_change=chosen, required=True, label_visibility="collapsed"
    )
    return used


def _picked(
    here: Choice, name: str, options: Sequence[str], words: Callable[[str], str], label: str, default: str | None = None
) -> str:
    """The option that the URL names; an unknown one is replaced by the default, and said."""
    used, asked = here.pick(name, options, default), dict(here.picks).get(name)
    if asked is not None and asked not in options:
        problem = ("address.unknown_choice", {"label": label, "value": asked, "used": words(used)})
        st.info(selection.said([problem], here.lang))
    return used


def chooser(here: Choice, name: str, options: Sequence[str], words: Callable[[str], str], label: str) -> str:
    """As `picker`, for more options than fit in a row."""
    key = f"choose_{name}_{here.lang}"
    st.session_state[key] = _picked(here, name, options, words, label)
    st.selectbox(
        label, options, key=key, format_func=words, width=420,
        on_change=lambda: selection.pick(**{name: st.session_state[key]}),
    )  # fmt: skip
    return st.session_state[key]
