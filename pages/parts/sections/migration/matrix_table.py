"""A migration matrix as a table: shaded by share, with totals and drill-through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import migration
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from pages.parts.state.selection import Selection
from pages.parts.widgets import fragments, move_drilldown
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import background, tint

MEASURES = ("share", "n", "balance_before", "balance")
_SUM = "sum"


@dataclass(frozen=True)
class _Matrix:
    """Counts, amounts with their sums, and shares of the row; rows and columns are state codes."""

    counts: pd.DataFrame
    amounts: pd.DataFrame
    shares: pd.DataFrame
    measure: str

    @property
    def values(self) -> pd.DataFrame:
        """The values that are printed: shares without sums, or amounts with them."""
        if self.measure == "share":
            return self.shares.drop(columns=_SUM).drop(index=_SUM)
        return self.amounts

    @property
    def small_rows(self) -> set[str]:
        """The states with fewer than MIN_GROUP_SIZE at the opening."""
        return set(self.counts.index[self.counts.sum(axis=1) < MIN_GROUP_SIZE])


def show(
    selection: Selection,
    key: str,
    title: str,
    frame: pd.DataFrame,
    states: Sequence[str],
    names: Mapping[str, str],
    measure: str,
) -> None:
    """Draw a matrix; a click on a cell opens the list of those who moved so.

    Parameters
    ----------
    frame
        As `migration.matrix` returns it.
    states
        Codes of the states in their order; `names` has their words.
    measure
        One of MEASURES.
    """
    lang = selection.lang
    matrix = _matrix(frame, states, measure)
    values = matrix.values
    cells = _cells(matrix, names, lang)

    def paint(column: pd.Series) -> list[str]:
        if column.name not in matrix.counts.columns:
            return [""] * len(column)
        return [_shade(matrix.shares[column.name].get(code), code) for code in values.index]

    def open_list(row: int, column: str) -> None:
        cell = {}
        if values.index[row] != _SUM:
            cell["before"] = values.index[row]
        if column in matrix.counts.columns:
            cell["after"] = column
        if cell:
            move_drilldown.open_move(cell)

    section_title(title)
    fragments.clickable_table(
        selection,
        f"{key}_{measure}_{lang}",
        cells.style.apply(paint),
        open_list,
        height="content",
        column_config=_columns(matrix, names, lang),
        alt=title,
    )
    caption(say("migration.click", lang))


def _matrix(frame: pd.DataFrame, states: Sequence[str], measure: str) -> _Matrix:
    origins = (*states, migration.JOINED, migration.MOVED_IN)
    rows = [code for code in origins if code in set(frame["before"])]
    columns = [code for code in (*states, *migration.EXITS) if code in set(frame["after"])]
    sums = frame.pivot_table(
        index="before", columns="after", values=["n", "balance_before", "balance"], aggfunc="sum"
    )
    counts = sums["n"].reindex(index=rows, columns=columns).fillna(0)
    amounts = counts
    if measure not in ("n", "share"):
        amounts = sums[measure].reindex(index=rows, columns=columns).fillna(0)
    amounts = amounts.assign(**{_SUM: amounts.sum(axis=1)})
    amounts.loc[_SUM] = amounts.sum()
    # Newcomers have no state before: their shares are the composition of the newcomers.
    shares = amounts.div(amounts[_SUM].where(amounts[_SUM] > 0), axis=0)
    return _Matrix(counts, amounts, shares, measure)


def _shade(share: float | None, row: str) -> str:
    if row == _SUM or share is None or pd.isna(share) or share == 0:
        return ""
    return background(tint(), 0.06 + 0.34 * share)


def _cells(matrix: _Matrix, names: Mapping[str, str], lang: str) -> pd.DataFrame:
    """Return the printed table: name of the row, a column per state, for shares the opening n."""
    values = matrix.values
    unit = {"share": "rate", "n": "count"}.get(matrix.measure, "money")
    cells = pd.DataFrame(
        [
            [text.number(value, unit, lang) if value else text.NOTHING for value in row]
            for row in values.to_numpy()
        ],
        columns=[str(code) for code in values.columns],
    )
    cells.insert(0, "name", [names.get(code, say("table.total", lang)) for code in values.index])
    if matrix.measure == "share":
        cells["opening_n"] = [_opening_n(matrix, code, lang) for code in values.index]
    return cells


def _opening_n(matrix: _Matrix, row: str, lang: str) -> str:
    n = f"{int(matrix.counts.loc[row].sum()):,}"
    return f"{n} {say('figure.few', lang)}" if row in matrix.small_rows else n


def _columns(matrix: _Matrix, names: Mapping[str, str], lang: str) -> dict[str, Any]:
    from_to = say("migration.from_to", lang)
    config: dict[str, Any] = {"name": st.column_config.TextColumn(from_to, pinned=True, width=130)}
    for code in matrix.values.columns:
        head = names.get(code, say("table.total", lang))
        config[str(code)] = st.column_config.Column(head, alignment="right")
    config["opening_n"] = st.column_config.Column(
        say("migration.opening_n", lang),
        alignment="right",
        width=110 if matrix.small_rows else "small",
    )
    return config
