"""Boards: one row per class or other dimension, columns of metrics with change and trend."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE
from analytics.metrics.query import shares
from analytics.metrics.question import Question
from analytics.presentation.theme import theme_for
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import drilldown, fragments, tables
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark

MONTHS = 24
TOTAL = ""
COLUMNS = ("value", "change", "trend")
SHARE_COLUMNS = ("share", "share_change", "share_trend")
# code → column → value
Cells = dict[str, dict[str, Any]]


def answers(
    selection: Selection, metrics: Sequence[str], by: str = "class", trend: bool = True
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return one row per code of `by` in printing order, then the total.

    Per metric the columns `<metric>:<part>`: value, change, n and trend; for sums also the share of
    the total with its change and trend. The second result has the reason of every metric without an
    answer.
    """
    order = [*queries.labels(by, selection.lang, selection.scheme), TOTAL]
    cells: Cells = {code: {} for code in order}
    reasons: dict[str, str] = {}
    for metric in metrics:
        reason = _read_metric(cells, selection, metric, by, trend)
        if reason:
            reasons[metric] = reason
    nonempty = {
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
    frame = pd.DataFrame.from_dict(nonempty, orient="index").reindex(columns=columns)
    return frame, reasons


def _read_metric(cells: Cells, selection: Selection, metric: str, by: str, trend: bool) -> str:
    """Add one metric to the cells, by code and in total; return why it has no answer, if so."""
    reason = ""
    months: dict[str, dict[Any, float]] = {}
    for dimensions in ((by,), ()):
        question = queries.question_for(selection, metric, dimensions)
        try:
            answer = _with_comparisons(question)
        except UserError as refusal:
            reason = queries.explain_refusal(question, refusal, selection.lang)
            continue
        if trend:
            months |= _series(question)
        for row in answer.to_dict("records"):
            code = str(row[by]) if dimensions else TOTAL
            entry = _entry(metric, row, months.get(code, {}))
            cells.setdefault(code, {}).update(entry)
    if METRICS[metric].unit in ("money", "count") and cells[TOTAL].get(f"{metric}:n"):
        _add_shares(cells, metric, months)
    return reason


def _entry(metric: str, row: Mapping[Hashable, Any], months: Mapping[Any, float]) -> dict[str, Any]:
    # A line chart in a cell has no gaps: a missing month would be printed as text.
    values = [value for value in months.values() if not text.is_missing(value)]
    return {
        f"{metric}:value": row["value"],
        f"{metric}:n": row["n"],
        f"{metric}:change": row.get("change"),
        f"{metric}:before": row.get("value_before"),
        f"{metric}:trend": values,
    }


def _with_comparisons(question: Question) -> pd.DataFrame:
    """Return the answer, without a comparison where the month compared with is missing."""
    if question.compare is None:
        return queries.ask(question)
    try:
        return queries.ask(question)
    except UserError:
        return queries.ask(question.with_changes(compare=None))


def _series(question: Question) -> dict[str, dict[Any, float]]:
    """Return code → month → value."""
    answer = queries.ask(question.with_changes(compare=None, last=MONTHS))
    if not question.by:
        return {TOTAL: dict(zip(answer["as_of"], answer["value"], strict=True))}
    return {
        str(code): dict(zip(part["as_of"], part["value"], strict=True))
        for code, part in answer.groupby(question.by[0], sort=False)
    }


def _add_shares(cells: Cells, metric: str, months: Mapping[str, Mapping[Any, float]]) -> None:
    """Add the share of the total to each value, with its change and trend."""
    codes = [code for code in cells if f"{metric}:value" in cells[code]]
    now = _shares(cells, codes, f"{metric}:value")
    before = _shares(cells, codes, f"{metric}:before")
    totals = {month: total for month, total in months.get(TOTAL, {}).items() if total}
    for code in codes:
        share = now[code]
        share_before = before[code]
        entry = cells[code]
        entry[f"{metric}:share"] = share
        entry[f"{metric}:share_change"] = None
        if share is not None and share_before is not None:
            entry[f"{metric}:share_change"] = share - share_before
        if share is not None:
            line = months.get(code, {})
            entry[f"{metric}:share_trend"] = [
                line.get(month, 0.0) / total for month, total in totals.items()
            ]


def _shares(cells: Cells, codes: Sequence[str], column: str) -> dict[str, float | None]:
    """Return code → share of the total (of one); None for a sum of gains and losses."""
    values = [cells[code][column] for code in codes]
    sums = [0.0 if text.is_missing(value) else value for value in values]
    if min(sums) < 0:
        return dict.fromkeys(codes)
    return dict(zip(codes, shares(sums, sums[codes.index(TOTAL)]), strict=True))


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
    columns = [f"{metric}:{part}" for metric in metrics for part in parts.get(metric, COLUMNS)]
    trend = any(column.endswith("trend") for column in columns)
    frame, reasons = queries.cached_view(answers, selection, tuple(metrics), by, trend)
    for reason in dict.fromkeys(reasons.values()):
        caption(reason)
    if frame.empty or not len(frame.columns):
        return
    codes = list(frame.index)
    labels = queries.labels(by, lang, selection.scheme) | {TOTAL: say("table.total", lang)}
    table = frame[[column for column in columns if column in frame]].copy()
    table.insert(0, "name", [labels.get(code, code) for code in codes])
    title = queries.dimension_name(by, lang)

    def open_metric(row: int, column: str) -> None:
        metric = column.split(":")[0] if ":" in column else metrics[0]
        drilldown.open_cell(metric, {by: codes[row]} if codes[row] else {})

    fragments.clickable_table(
        selection,
        f"{key}_{by}_{lang}",
        _style(table, frame, lang),
        open_metric,
        row_height=38,
        placeholder=text.NOTHING,
        height="content",
        column_config=_columns(table, title, lang),
        alt=say("table.alt", lang, title=title),
    )
    caption(
        say("table.click", lang), say("table.units", lang, currency=queries.currency_unit(lang))
    )


def _style(table: pd.DataFrame, frame: pd.DataFrame, lang: str) -> Styler:
    """Return the table with values in words; small groups are grey and marked."""
    tone = theme_for(is_dark())
    small_codes = {
        metric: set(frame.index[frame[f"{metric}:n"].fillna(0) < MIN_GROUP_SIZE])
        for metric in _metrics(table)
    }

    def colour(value: float, column: str) -> str:
        metric, part = column.split(":")
        if not part.endswith("change"):
            return tone.ink
        return tone.verdict_colour(_change(value, metric, lang, part).verdict)

    def paint(column: pd.Series) -> list[str]:
        name = str(column.name)
        if ":" not in name or name.endswith("trend"):
            return [""] * len(column)
        small = small_codes[name.split(":")[0]]
        return [
            f"color: {tone.grey if code in small else colour(value, name)}"
            for code, value in column.items()
        ]

    style = table.style.apply(paint)
    formats = {
        column: _formatter(column, lang)
        for column in table
        if ":" in column and not column.endswith("trend")
    }
    style.format(formats, na_rep=text.NOTHING)
    note = say("figure.few", lang)
    for metric, codes in small_codes.items():
        column = f"{metric}:value"
        if column in table:
            number = _formatter(column, lang)
            style.format(
                lambda value, number=number: f"{number(value)} {note}",
                subset=(list(codes), [column]),
            )
    return style


def _formatter(column: str, lang: str) -> Callable[[float], str]:
    """Return the function that prints a value of the column `<metric>:<part>`."""
    metric, part = column.split(":")
    unit = {"value": METRICS[metric].unit, "share": "rate", "n": "count"}.get(part)
    if unit:
        return lambda value: text.number(value, unit, lang)
    return lambda value: str(_change(value, metric, lang, part))


def _change(value: float, metric: str, lang: str, part: str = "change") -> text.Change:
    if part == "share_change":
        return text.change(value, "rate", "neither", lang, bare=True)
    return text.change(value, METRICS[metric].unit, METRICS[metric].better, lang, bare=True)


def _metrics(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(column.split(":")[0] for column in table if ":" in column))


def _columns(table: pd.DataFrame, title: str, lang: str) -> dict[str, Any]:
    config: dict[str, Any] = {"name": st.column_config.TextColumn(title, pinned=True, width=104)}
    for column in table:
        metric, _, part = column.partition(":")
        if part.endswith("trend"):
            config[column] = st.column_config.LineChartColumn(say("table.trend", lang), width=72)
        elif part:
            config[column] = st.column_config.Column(
                _head(metric, part, f"{metric}:value" in table, lang),
                alignment="right",
                help=METRICS[metric].meaning[lang],
            )
    return config


def _head(metric: str, part: str, has_value: bool, lang: str) -> str:
    """Return the head of a column; a share without its value beside it names the metric."""
    definition = METRICS[metric]
    if part == "value":
        return definition.name[lang]
    if part == "n":
        return "n"
    if part == "share":
        if has_value:
            return say("table.share", lang)
        return say("table.share_of", lang, metric=definition.name[lang])
    in_points = definition.unit == "rate" or part == "share_change"
    return say("table.change_points" if in_points else "table.change", lang)


def listing(selection: Selection, metrics: Sequence[str]) -> None:
    """Draw metrics below each other: the table view of a figure that shows them together."""
    lang = selection.lang
    keys = ("export.metric", "definition.value", "table.change")
    heads = [*(say(key, lang) for key in keys), "n"]
    rows = [_listing_row(selection, metric) for metric in metrics]
    st.dataframe(
        pd.DataFrame(rows, columns=heads),
        hide_index=True,
        column_config=tables.right_aligned(heads[1:]),
        height="content",
        alt=heads[0],
    )


def _listing_row(selection: Selection, metric: str) -> tuple[str, str, str, str]:
    lang = selection.lang
    definition = METRICS[metric]
    row, _ = queries.total_row(queries.question_for(selection, metric), lang)
    if row is None:
        change = text.change(None, definition.unit, definition.better, lang)
        return definition.name[lang], text.NOTHING, str(change), ""
    return (
        definition.name[lang],
        text.exact(row["value"], definition.unit, lang),
        str(text.change(row.get("change"), definition.unit, definition.better, lang)),
        f"{int(row['n']):,}",
    )
