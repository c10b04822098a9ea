"""Boards: rows are classes or another split, columns metrics; a cell is value, change, trend, and opens its list."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analytics import text
from analytics.declared import METRICS
from analytics.look import SMALL, look
from analytics.text import say
from data.engine import Refused
from pages.parts import bank, drill
from pages.parts.choice import Choice
from pages.parts.tiles import is_dark

MONTHS = 24
WHOLE = ""


def answers(
    here: Choice, metrics: Sequence[str], by: str = "class", *, trend: bool = True
) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row per code of `by` in the order of its labels, then the whole; per metric: value, change, n and trend.

    The second result says, per metric, why it could not be answered.
    """
    order = [*bank.labels(by, here.lang, here.scheme), WHOLE]
    found: dict[str, dict[str, Any]] = {code: {} for code in order}
    reasons: dict[str, str] = {}
    for metric in metrics:
        for split in ((by,), ()):
            question = bank.about(here, metric, split)
            try:
                now = _compared(question)
            except Refused as refusal:
                reasons[metric] = text.half(refusal, here.lang)
                continue
            series = _series(question) if trend else {}
            for row in now.to_dict("records"):
                code = row[by] if split else WHOLE
                entry = found.setdefault(code, {})
                entry[f"{metric}:value"], entry[f"{metric}:n"] = row["value"], row["n"]
                entry[f"{metric}:change"] = row.get("change")
                entry[f"{metric}:trend"] = series.get(code, [])
    filled = {
        code: entry for code, entry in found.items() if any(entry.get(f"{metric}:n", 0) > 0 for metric in metrics)
    }
    wanted = [
        f"{metric}:{part}" for metric in metrics if metric not in reasons for part in ("value", "change", "n", "trend")
    ]
    frame = pd.DataFrame.from_dict(filled, orient="index").reindex(columns=wanted)
    return frame, reasons


def _compared(question) -> pd.DataFrame:
    """The answer with its comparison; without it where the month compared with is not there."""
    if question.compare is None:
        return bank.ask(question)
    try:
        return bank.ask(question)
    except Refused:
        return bank.ask(question.about(compare=None))


def _series(question) -> dict[str, list[float]]:
    answer = bank.ask(question.about(compare=None, last=MONTHS))
    if not question.by:
        return {WHOLE: answer["value"].tolist()}
    return {code: part["value"].tolist() for code, part in answer.groupby(question.by[0], sort=False)}


def board(here: Choice, metrics: Sequence[str], by: str = "class", *, key: str = "board", trend: bool = True) -> None:
    """The board, its reading help, and what could not be answered. A click on a cell opens its list."""
    lang = here.lang
    frame, reasons = answers(here, metrics, by, trend=trend)
    names = bank.labels(by, lang, here.scheme)
    codes = list(frame.index)
    shown = frame.drop(columns=[column for column in frame if column.endswith(":n")])
    title = say("table.class", lang) if by == "class" else bank.name_of_split(by, lang)
    shown.insert(0, "name", [names.get(code, code) if code else say("table.total", lang) for code in codes])
    slot = f"{key}_{by}_{lang}_{st.session_state.get('drill_closed', 0)}"

    def clicked() -> None:
        for row, column in st.session_state[slot]["selection"]["cells"]:
            metric = column.split(":")[0] if ":" in column else metrics[0]
            drill.open_cell(metric, {by: codes[row]} if codes[row] else {})

    st.dataframe(
        _styled(shown, frame, lang),
        hide_index=True,
        key=slot,
        on_select=clicked,
        selection_mode="single-cell",
        row_height=38,
        placeholder=text.NOTHING,
        height="content",
        column_config=_columns(shown, title, lang),
        alt=say("table.alt", lang, title=title),
    )
    st.html(f'<p class="lp-note">{html.escape(say("table.click", lang))} {html.escape(say("table.units", lang))}</p>')
    for reason in dict.fromkeys(reasons.values()):
        st.html(f'<p class="lp-note">{html.escape(reason)}</p>')


def _styled(shown: pd.DataFrame, frame: pd.DataFrame, lang: str):
    tone = look(is_dark())
    few = {column: set(frame.index[frame[f"{column}:n"].fillna(0) < SMALL]) for column in _metrics(shown)}

    def paint(column: pd.Series) -> list[str]:
        if ":" not in str(column.name) or str(column.name).endswith(":trend"):
            return [""] * len(column)
        metric, part = str(column.name).split(":")
        if part == "value":
            return [f"color: {tone.grey}" if code in few[metric] else f"color: {tone.ink}" for code in column.index]
        return [
            f"color: {tone.grey if code in few[metric] else tone.of(_moved(value, metric, lang).verdict)}"
            for code, value in column.items()
        ]

    def written(column: str):
        metric, part = column.split(":")
        unit = METRICS[metric].unit
        if part == "value":
            return lambda value: text.number(value, unit, lang)
        return lambda value: str(_moved(value, metric, lang))

    formats = {column: written(column) for column in shown if column.endswith((":value", ":change"))}
    note = say("figure.few", lang)
    style = shown.style.format(formats, na_rep=text.NOTHING)
    for metric, codes in few.items():
        column, unit = f"{metric}:value", METRICS[metric].unit
        style = style.format(
            lambda v, unit=unit: f"{text.number(v, unit, lang)} {note}", subset=(list(codes), [column])
        )
    return style.apply(paint)


def _moved(value: float, metric: str, lang: str) -> text.Change:
    return text.change(value, METRICS[metric].unit, METRICS[metric].better, lang, bare=True)


def _metrics(shown: pd.DataFrame) -> list[str]:
    return [column.removesuffix(":value") for column in shown if column.endswith(":value")]


def _columns(shown: pd.DataFrame, title: str, lang: str) -> dict[str, Any]:
    config: dict[str, Any] = {"name": st.column_config.TextColumn(title, pinned=True, width=120)}
    for metric in _metrics(shown):
        words = METRICS[metric].name[lang]
        config[f"{metric}:value"] = st.column_config.Column(
            words, alignment="right", help=METRICS[metric].meaning[lang]
        )
        config[f"{metric}:change"] = st.column_config.Column(
            say("table.change_points" if METRICS[metric].unit == "rate" else "table.change", lang), alignment="right"
        )
        config[f"{metric}:trend"] = st.column_config.LineChartColumn(say("table.trend", lang), width=90)
    return config
