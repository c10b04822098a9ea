"""The parts of a level as a table: value, change, effect, numerator and denominator, n."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE, Metric
from analytics.presentation.theme import theme_for
from pages.parts.sections.explorer.level import Level, Parts, row_value
from pages.parts.state import queries
from pages.parts.widgets import chart, fragments
from pages.parts.widgets.theme import is_dark

SORTS = ("effect", "value", "n", "name")
MAX_ROWS = 40
# Pixels of a table of more rows than that.
MAX_HEIGHT = 900
# Column of the table → locale key of its head; the name of the rows comes first.
_HEADS = {
    "value": "changes.value",
    "before": "changes.value_before",
    "change": "table.change",
    "effect": "changes.effect",
    "numerator": "definition.numerator",
    "denominator": "definition.denominator",
}
Row = Mapping[Hashable, Any]


def show(level: Level, parts: Parts) -> None:
    """Draw the parts in the order that the reader picks, then the whole."""
    lang = level.lang
    dimension = level.dimension
    metric = level.definition
    frame = _sort_parts(parts.frame, _sort_picker(level, parts), dimension, list(level.names()))
    rows: list[Row] = [*frame.to_dict("records"), parts.whole.to_dict()]
    codes = [row.get(dimension) for row in rows]
    is_small = [row["n"] < MIN_GROUP_SIZE for row in rows]
    changes = {column: _changes(rows, column, metric, lang) for column in ("change", "effect")}
    names = [row_name(code, level.names(), lang) for code in codes]
    table = pd.DataFrame({"name": names} | _columns(rows, changes, metric, lang))
    table = table.drop(columns=_absent_columns(frame, metric))

    def paint(column: pd.Series) -> list[str]:
        grey = theme_for(is_dark()).grey
        if column.name not in changes:
            return [f"color: {grey}" if small else "" for small in is_small]
        colours = [
            theme_for(is_dark()).verdict_colour(change.verdict)
            for change in changes[str(column.name)]
        ]
        return [
            f"color: {grey if small else colour}"
            for colour, small in zip(colours, is_small, strict=True)
        ]

    def open_row(row: int, _: str) -> None:
        if codes[row] is None:
            level.open_whole()
        else:
            level.open_part({dimension: str(codes[row])})

    fragments.clickable_table(
        level.selection,
        f"cut_{dimension}_{lang}_{dict(level.selection.page_params).get('path', '')}",
        table.style.apply(paint),
        open_row,
        height="content" if len(table) <= MAX_ROWS else MAX_HEIGHT,
        column_config=_column_config(table, dimension, metric, lang),
        alt=metric.name[lang],
    )


def _sort_picker(level: Level, parts: Parts) -> str:
    lang = level.lang
    return chart.picker(
        level.selection,
        "sort",
        SORTS if parts.is_compared else SORTS[1:],
        lambda code: say(f"explorer.sort_{code}", lang),
        say("explorer.sort", lang),
    )


def _sort_parts(
    parts: pd.DataFrame, sort: str, dimension: str, codes: Sequence[str]
) -> pd.DataFrame:
    """Return the rows by effect, value or n, largest first, or in the order of `codes`."""
    if sort == "name":
        place = {code: at for at, code in enumerate(codes)}
        return parts.sort_values(
            dimension, key=lambda column: column.map(lambda code: place.get(code, len(place)))
        )
    if sort == "effect":
        sized = parts.assign(size=parts["effect"].abs())
        return sized.sort_values("size", ascending=False).drop(columns="size")
    return parts.sort_values(sort, ascending=False, na_position="last")


def _absent_columns(parts: pd.DataFrame, metric: Metric) -> list[str]:
    """Return the columns without values: no month to compare with, no denominator."""
    absent = []
    if "effect" not in parts:
        absent += ["before", "change", "effect"]
    if not metric.denominator_sql:
        absent += ["numerator", "denominator"]
    return absent


def row_name(code: str | None, names: Mapping[str, str], lang: str) -> str:
    """Return the words of a code; None is the total."""
    return say("table.total", lang) if code is None else names.get(code, code)


def _changes(rows: Sequence[Row], column: str, metric: Metric, lang: str) -> list[text.Change]:
    return [
        text.change(row.get(column), metric.unit, metric.better, lang, bare=True) for row in rows
    ]


def _columns(
    rows: Sequence[Row],
    changes: Mapping[str, Sequence[text.Change]],
    metric: Metric,
    lang: str,
) -> dict[str, list[str]]:
    def numbers(column: str, unit: str) -> list[str]:
        return [text.number(row.get(column), unit, lang) for row in rows]

    return {
        "value": [row_value(row, metric, lang) for row in rows],
        "before": numbers("value_before", metric.unit),
        "change": [str(change) for change in changes["change"]],
        "effect": [str(effect) for effect in changes["effect"]],
        "numerator": numbers("numerator", metric.measure),
        "denominator": numbers("denominator", metric.measure),
        "n": [f"{int(row['n']):,}" for row in rows],
    }


def _column_config(
    table: pd.DataFrame, dimension: str, metric: Metric, lang: str
) -> dict[str, Any]:
    heads = {column: say(key, lang) for column, key in _HEADS.items()} | {"n": "n"}
    if metric.unit == "rate":
        heads["change"] = say("table.change_points", lang)
    config: dict[str, Any] = {
        column: st.column_config.Column(head, alignment="right")
        for column, head in heads.items()
        if column in table
    }
    name = queries.dimension_name(dimension, lang)
    config["name"] = st.column_config.TextColumn(name, pinned=True, width=150)
    return config
