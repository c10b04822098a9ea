"""Sections and dialogs that are drawn again without the rest of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, current_selection, set_param, without_params

# URL parameter that opens a list → the fragment that draws it.
DIALOG_FRAGMENTS = {"open": "list", "moved": "list_moved"}
DIALOG_PARAMS = ("open", "cell", "moved")


def start_run() -> None:
    """Forget the sections and the clicked cell of the run before."""
    st.session_state.drill_parts = set()
    st.session_state.pop("drill_marked", None)


def open_list(switch: str, params: Mapping[str, str | None]) -> None:
    """Set the parameters that open a list, and rerun that list alone.

    To send and draw the unchanged page again would take several times as long.
    """
    st.session_state.drill_from = st.session_state.pop("drill_marked", "")
    set_param(**params)
    st.rerun(DIALOG_FRAGMENTS[switch])


def close_list(switch: str, params: Sequence[str]) -> None:
    """Drop the parameters; rerun the list and the section whose cell was clicked.

    The section is drawn without the mark on that cell.
    """
    name = st.session_state.pop("drill_from", "")
    times_closed = st.session_state.setdefault("drill_closed", {})
    times_closed[name] = times_closed.get(name, 0) + 1
    set_param(**dict.fromkeys(params))
    fragments = [DIALOG_FRAGMENTS[switch]]
    if name in st.session_state.drill_parts:
        fragments.append(f"part_{name}")
    st.rerun(fragments)


def mark_clicked(name: str) -> None:
    """Record that the click of this callback leaves a mark in a section."""
    st.session_state.drill_marked = name


def widget_key(name: str) -> str:
    """Return the key of a section's widget; a new one after its list was closed, without marks."""
    return f"{name}_{st.session_state.get('drill_closed', {}).get(name, 0)}"


def rerunnable_section(selection: Selection, name: str, draw: Callable[[], None]) -> None:
    """Draw a section that can be drawn again without the rest of the page."""
    edition = queries.warehouse().edition.id
    is_first_run = True
    errors: list[Exception] = []
    st.session_state.drill_parts.add(name)

    @st.fragment(key=f"part_{name}")
    def section() -> None:
        nonlocal is_first_run
        if not is_first_run and not _is_current(selection, edition):
            st.rerun()
        try:
            draw()
        except (UserError, queries.EditionChanged) as error:
            # Streamlit would print an exception that leaves a fragment as a fault.
            if not is_first_run:
                st.rerun()
            errors.append(error)
        is_first_run = False

    section()
    for error in errors:
        raise error


def clickable_table(
    selection: Selection,
    name: str,
    frame: pd.DataFrame | Styler,
    on_click: Callable[[int, str], None],
    **settings: Any,
) -> None:
    """Draw a table in a section of its own; a click calls `on_click(row, column)`.

    `settings` go to st.dataframe.
    """

    def draw() -> None:
        key = widget_key(name)

        def open_cells() -> None:
            for row, column in st.session_state[key]["selection"]["cells"]:
                mark_clicked(name)
                on_click(row, column)

        st.dataframe(
            frame,
            hide_index=True,
            key=key,
            on_select=open_cells,
            selection_mode="single-cell",
            **settings,
        )

    rerunnable_section(selection, name, draw)


def dialog(selection: Selection, switch: str, draw: Callable[[Selection], None]) -> None:
    """Draw the list that a parameter opens, in a fragment that is rerun when it opens or closes."""
    edition = queries.warehouse().edition.id

    @st.fragment(key=DIALOG_FRAGMENTS[switch])
    def fragment() -> None:
        if not _is_current(selection, edition):
            st.rerun()
        if switch in dict(current_selection().page_params):
            draw(current_selection())

    fragment()


def _is_current(selection: Selection, edition: str) -> bool:
    """Return whether edition and selection are still those that the page was drawn from."""
    if queries.warehouse().edition.id != edition:
        return False
    current = without_params(current_selection(), *DIALOG_PARAMS)
    return current == without_params(selection, *DIALOG_PARAMS)
