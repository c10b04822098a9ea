"""The tables of the migration page: a click on a cell opens the list behind it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from pages.parts.state.selection import Selection
from pages.parts.widgets import fragments, move_drilldown
from pages.parts.widgets.tables import right_aligned


def show(
    selection: Selection,
    frame: pd.DataFrame,
    alt: str,
    key: str = "",
    cell_at: Callable[[int, int], dict[str, str]] | None = None,
) -> None:
    """Draw a table; `cell_at` maps row and column of a clicked cell to the cell of its list."""
    first, *others = frame.columns
    config = right_aligned(others)
    config[first] = st.column_config.Column(pinned=True)
    if cell_at is None:
        st.dataframe(frame, hide_index=True, column_config=config, height="content", alt=alt)
        return

    def open_cell(row: int, column: str) -> None:
        move_drilldown.open_move(cell_at(row, list(frame.columns).index(column)))

    fragments.clickable_table(
        selection,
        f"{key}_table_{len(frame)}",
        frame,
        open_cell,
        column_config=config,
        height="content",
        alt=alt,
    )
