"""Two dimensions of a level crossed, shaded by value, with totals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE, Metric
from pages.parts.sections.explorer.level import Level, row_value
from pages.parts.sections.explorer.parts_table import MAX_HEIGHT, MAX_ROWS, row_name
from pages.parts.state import queries
from pages.parts.widgets import drilldown, fragments
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import background, tint

Row = Mapping[Hashable, Any]


@dataclass(frozen=True)
class _Heatmap:
    """Two dimensions crossed; None is the code of a total.

    `cells` maps (row code, column code) to a row of the answer.
    """

    metric: Metric
    rows: Sequence[str | None]
    columns: Sequence[str | None]
    cells: Mapping[tuple[str | None, str | None], Row]

    def words(self, row: str | None, column: str | None, lang: str) -> str:
        cell = self.cells.get((row, column))
        return text.NOTHING if cell is None else row_value(cell, self.metric, lang)

    def shade(self, row: str | None, column: str | None, largest: float) -> str:
        """Return the style of a cell; totals and values that are not interpreted have none."""
        cell = self.cells.get((row, column))
        if row is None or column is None or cell is None or not _is_comparable(cell):
            return ""
        return background(tint(), 0.05 + 0.4 * abs(cell["value"]) / largest)

    def largest(self) -> float:
        """Return the largest absolute value of the shaded cells; 1 where there is none."""
        values = [
            abs(cell["value"])
            for codes, cell in self.cells.items()
            if None not in codes and _is_comparable(cell)
        ]
        return max(values, default=0) or 1


def _is_comparable(cell: Row) -> bool:
    return cell["n"] >= MIN_GROUP_SIZE and not text.is_missing(cell["value"])


def _read(level: Level, down: str, across: str) -> _Heatmap:
    cells: dict[tuple[str | None, str | None], Row] = {}
    for by in ((down, across), (down,), (across,), ()):
        for row in queries.ask(level.question(*by)).to_dict("records"):
            cells[row.get(down), row.get(across)] = row
    row_codes = queries.labels(down, level.lang, level.selection.scheme)
    column_codes = queries.labels(across, level.lang, level.selection.scheme)
    rows = [code for code in row_codes if (code, None) in cells]
    columns = [code for code in column_codes if (None, code) in cells]
    return _Heatmap(level.definition, (*rows, None), (*columns, None), cells)


def show(level: Level, down: str, across: str) -> None:
    """Draw the cell of the level by two dimensions; a click opens the list of a cell."""
    lang = level.lang
    heatmap = _read(level, down, across)
    rows = heatmap.rows
    columns = heatmap.columns
    largest = heatmap.largest()
    row_names = queries.labels(down, lang, level.selection.scheme)
    frame = pd.DataFrame({"name": [row_name(code, row_names, lang) for code in rows]})
    for place, code in enumerate(columns):
        frame[str(place)] = [heatmap.words(row, code, lang) for row in rows]

    def paint(column: pd.Series) -> list[str]:
        if column.name == "name":
            return [""] * len(rows)
        code = columns[int(str(column.name))]
        return [heatmap.shade(row, code, largest) for row in rows]

    def open_list(row: int, column: str) -> None:
        codes = {down: rows[row], across: None if column == "name" else columns[int(column)]}
        cell = {dimension: code for dimension, code in codes.items() if code is not None}
        drilldown.open_cell(level.metric, dict(level.within) | cell)

    column_names = queries.labels(across, lang, level.selection.scheme)
    config: dict[str, Any] = {}
    for place, code in enumerate(columns):
        head = row_name(code, column_names, lang)
        config[str(place)] = st.column_config.Column(head, alignment="right")
    name = queries.dimension_name(down, lang)
    config["name"] = st.column_config.TextColumn(name, pinned=True, width=150)
    fragments.clickable_table(
        level.selection,
        f"cut_heat_{down}_{across}_{lang}",
        frame.style.apply(paint),
        open_list,
        height="content" if len(frame) <= MAX_ROWS else MAX_HEIGHT,
        column_config=config,
        alt=level.definition.name[lang],
    )
    caption(say("explorer.heat", lang))
