"""Boards: one row per class or other dimension, columns of metrics with change and trend."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE
from analytics.metrics.query import Question, shares
from analytics.presentation.theme import theme_for
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import drilldown
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark

MONTHS = 24
TOTAL = ""
COLUMNS = ("value", "change", "trend")
SHARE_COLUMNS = ("share", "share_change", "share_trend")


def answers(
    selection: Selection, metrics: Sequence[str], by: str = "class", trend: bool = True
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return one row per code of `by` in printing order, then the total.

    Per metric the value, change, n and trend; for sums also the share of the total with its change
    and trend. The second result has the reason of every metric without an answer.
    """
    order = [*queries.labels(by, selection.lang, selection.scheme), TOTAL]
    cells: dict[str, dict[str, Any]] = {code: {} for code in order}
    reasons: dict[str, str] = {}
    months: dict[str, dict[str, dict[Any, float]]] = {}
    for metric in metrics:
        for dimensions in ((by,), ()):
            question = queries.question_for(selection, metric, dimensions)
            try:
                now = _with_comparisons(question)
            except UserError as refusal:
                reasons[metric] = queries.explain_refusal(question, refusal, selection.lang)
                continue
            series = _series(question) if trend else {}
            months.setdefault(metric, {}).update(series)
            for row in now.to_dict("records"):
                code = row[by] if dimensions else TOTAL
                entry = cells.setdefault(code, {})
                entry[f"{metric}:value"] = row["value"]
                entry[f"{metric}:n"] = row["n"]
                entry[f"{metric}:change"] = row.get("change")
                entry[f"{metric}:before"] = row.get("value_before")
                # A line chart in a cell has no gaps: a missing month would be printed as text.
                values = [
                    value for value in series.get(code, {}).values() if not text.is_missing(value)
                ]
                entry[f"{metric}:trend"] = values
        if METRICS[metric].unit in ("money", "count") and cells[TOTAL].get(f"{metric}:n"):
            _add_shares(cells, metric, months[metric])
    filled = {
        code: entry
        for code, entry in cells.items()
        if any(entry.get(f"{metric}:n", 0) > 0 for metric in metrics)
    }
    columns = [
        f"{metric}:{part}"
        for metric in metrics
        if metric not in reasons
        for part in (*COLUMNS, *SHARE_COLUMNS, "n")
    ]
    frame = pd.DataFrame.from_dict(filled, orient="index").reindex(columns=columns)
    return frame, reasons


def _with_comparisons(question: Question) -> pd.DataFrame:
    """Return the answer, without a comparison where the month compared with is missing."""
    if question.compare is None:
        return queries.ask(question)
    try:
        return queries.ask(question)
    except UserError:
        return queries.ask(question.about(compare=None))


def _series(question: Question) -> dict[str, dict[Any, float]]:
    """Return code → month → value."""
    answer = queries.ask(question.about(compare=None, last=MONTHS))
    if not question.by:
        return {TOTAL: dict(zip(answer["as_of"], answer["value"], strict=True))}
    return {
        code: dict(zip(part["as_of"], part["value"], strict=True))
        for code, part in answer.groupby(question.by[0], sort=False)
    }


def _add_shares(
    cells: dict[str, dict[str, Any]], metric: str, months: Mapping[str, Mapping[Any, float]]
) -> None:
    """Add the share of the total to each value, with its change and trend."""
    parts = [code for code in cells if f"{metric}:value" in cells[code]]
    shares_of = {}
    for name in ("value", "before"):
        sums = [cells[code][f"{metric}:{name}"] for code in parts]
        sums = [0.0 if text.is_missing(one) else one for one in sums]
        # Shares of a sum of gains and losses are meaningless.
        nothing = [None] * len(sums)
        shares_of[name] = shares(sums, sums[parts.index(TOTAL)]) if min(sums) >= 0 else nothing
    wholes = {month: total for month, total in months.get(TOTAL, {}).items() if total}
    for code, share, before in zip(parts, shares_of["value"], shares_of["before"], strict=True):
        entry = cells[code]
        line = months.get(code, {})
        entry[f"{metric}:share"] = share
        entry[f"{metric}:share_change"] = (
            None if share is None or before is None else share - before
        )
        if share is not None:
            entry[f"{metric}:share_trend"] = [
                line.get(month, 0.0) / total for month, total in wholes.items()
            ]


def board(
    selection: Selection,
    metrics: Sequence[str],
    by: str = "class",
    *,
    key: str = "board",
    parts: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Draw the board and what could not be answered; a click on a cell opens its list.

    `parts` says per metric what to print of it, in order: value, change, trend, share,
    share_change, share_trend, n; COLUMNS unless named.
    """
    lang = selection.lang
    parts = parts or {}
    trend = any(part.endswith("trend") for metric in metrics for part in parts.get(metric, COLUMNS))
    frame, reasons = queries.cached_view(answers, selection, tuple(metrics), by, trend)
    for reason in dict.fromkeys(reasons.values()):
        caption(reason)
    if frame.empty or not len(frame.columns):
        return
    names = queries.labels(by, lang, selection.scheme)
    codes = list(frame.index)
    columns = [f"{metric}:{part}" for metric in metrics for part in parts.get(metric, COLUMNS)]
    shown = frame[[column for column in columns if column in frame]].copy()
    title = say("table.class", lang) if by == "class" else queries.dimension_name(by, lang)
    shown.insert(
        0, "name", [names.get(code, code) if code else say("table.total", lang) for code in codes]
    )

    def open_metric(row: int, column: str) -> None:
        metric = column.split(":")[0] if ":" in column else metrics[0]
        drilldown.open_cell(metric, {by: codes[row]} if codes[row] else {})

    drilldown.clickable_table(
        selection,
        f"{key}_{by}_{lang}",
        _style(shown, frame, lang),
        open_metric,
        row_height=38,
        placeholder=text.NOTHING,
        height="content",
        column_config=_columns(shown, title, lang),
        alt=say("table.alt", lang, title=title),
    )
    caption(say("table.click", lang), say("table.units", lang))


def _style(shown: pd.DataFrame, frame: pd.DataFrame, lang: str):
    tone = theme_for(is_dark())
    few = {
        column: set(frame.index[frame[f"{column}:n"].fillna(0) < MIN_GROUP_SIZE])
        for column in _metrics(shown)
    }

    def paint(column: pd.Series) -> list[str]:
        if ":" not in str(column.name) or str(column.name).endswith("trend"):
            return [""] * len(column)
        metric, part = str(column.name).split(":")
        if not part.endswith("change"):
            return [
                f"color: {tone.grey}" if code in few[metric] else f"color: {tone.ink}"
                for code in column.index
            ]
        return [
            f"color: {tone.grey}" if code in few[metric] else verdict_colour(value, metric, part)
            for code, value in column.items()
        ]

    def verdict_colour(value: float, metric: str, part: str) -> str:
        verdict = _change(value, metric, lang, part).verdict
        return f"color: {tone.verdict_colour(verdict)}"

    def formatter(column: str) -> Callable[[float], str]:
        metric, part = column.split(":")
        unit = {"value": METRICS[metric].unit, "share": "rate", "n": "count"}.get(part)
        if unit:
            return lambda value: text.number(value, unit, lang)
        return lambda value: str(_change(value, metric, lang, part))

    formats = {
        column: formatter(column)
        for column in shown
        if ":" in column and not column.endswith("trend")
    }
    note = say("figure.few", lang)
    style = shown.style.format(formats, na_rep=text.NOTHING)
    for metric, codes in few.items():
        column = f"{metric}:value"
        unit = METRICS[metric].unit
        if column not in shown:
            continue
        style = style.format(
            lambda v, unit=unit: f"{text.number(v, unit, lang)} {note}",
            subset=(list(codes), [column]),
        )
    return style.apply(paint)


def _change(value: float, metric: str, lang: str, part: str = "change") -> text.Change:
    if part == "share_change":
        return text.change(value, "rate", "neither", lang, bare=True)
    return text.change(value, METRICS[metric].unit, METRICS[metric].better, lang, bare=True)


def _metrics(shown: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(column.split(":")[0] for column in shown if ":" in column))


def _columns(shown: pd.DataFrame, title: str, lang: str) -> dict[str, Any]:
    config: dict[str, Any] = {"name": st.column_config.TextColumn(title, pinned=True, width=104)}
    for column in shown:
        metric, _, part = column.partition(":")
        if not part:
            continue
        declared = METRICS[metric]
        if part.endswith("trend"):
            config[column] = st.column_config.LineChartColumn(say("table.trend", lang), width=72)
            continue
        points = (
            "table.change_points"
            if declared.unit == "rate" or part == "share_change"
            else "table.change"
        )
        share = say("table.share", lang)
        if f"{metric}:value" not in shown:
            share = say("table.share_of", lang, metric=declared.name[lang])
        heads = {"value": declared.name[lang], "share": share, "n": "n"}
        head = heads.get(part) or say(points, lang)
        config[column] = st.column_config.Column(
            head, alignment="right", help=declared.meaning[lang]
        )
    return config


def listing(selection: Selection, metrics: Sequence[str]) -> None:
    """Draw metrics below each other: the table view of a figure that shows them together."""
    lang = selection.lang
    lines = []
    for metric in metrics:
        row, _ = queries.total_row(queries.question_for(selection, metric), lang)
        declared = METRICS[metric]
        value = text.NOTHING if row is None else text.exact(row["value"], declared.unit, lang)
        change = text.change(
            None if row is None else row.get("change"), declared.unit, declared.better, lang
        )
        lines.append(
            (declared.name[lang], value, str(change), "" if row is None else f"{int(row['n']):,}")
        )
    heads = (
        say("export.metric", lang),
        say("definition.value", lang),
        say("table.change", lang),
        "n",
    )
    right = {head: st.column_config.Column(alignment="right") for head in heads[1:]}
    frame = pd.DataFrame(lines, columns=list(heads))
    st.dataframe(frame, hide_index=True, column_config=right, height="content", alt=heads[0])


def plain(
    words: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    alt: str,
    lang: str,
    *,
    right: Sequence[str] = (),
    **more: Any,
) -> None:
    """Draw a printed list.

    `heads` are locale keys under `words`, those in `right` right-aligned; `more` goes to
    st.dataframe.
    """
    heads_of = {head: say(f"{words}.{head}", lang) for head in heads}
    aligned = {heads_of[head]: st.column_config.Column(alignment="right") for head in right}
    frame = pd.DataFrame([list(row) for row in rows], columns=list(heads_of.values()), dtype="str")
    st.dataframe(
        frame, hide_index=True, column_config=aligned, alt=alt, placeholder=text.NOTHING, **more
    )


def pairs(title: str, rows: Sequence[tuple[str, str]], note: str = "") -> None:
    """Draw a list of (name, value) under a title."""
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    small = f'<p class="lp-note">{html.escape(note)}</p>' if note else ""
    st.html(
        f'<p class="lp-message">{html.escape(title)}</p>{small}'
        f'<div class="lp-define lp-pairs"><table>{lines}</table></div>'
    )
