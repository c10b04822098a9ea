"""The list behind a cell of a migration or cohort query: matrix, money bridge or vintage."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from analytics.analysis import cohorts, migration
from analytics.analysis.cohorts import CohortQuery
from analytics.analysis.migration import MigrationQuery
from analytics.analysis.reloan_curve import WHOLE
from analytics.i18n.text import say
from analytics.metrics.buckets import bucket_sets
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import drilldown, fragments, list_table
from pages.parts.widgets.list_table import EXPORT_LIMIT, PAGE_ROWS, Writer
from pages.parts.widgets.text import caption, escape_markdown

MoveQuery = MigrationQuery | CohortQuery
# The keys of a cell that each kind of query can list.
CELLS: dict[type, set[str]] = {
    MigrationQuery: {"term", "rate", "before", "after"},
    CohortQuery: {"cohort", "part", "month", "judged", "back"},
}


def open_move(cell: Mapping[str, str]) -> None:
    """Open the list behind a cell of a migration or cohort query. For callbacks."""
    path = "~".join(f"{side}:{code}" for side, code in cell.items())
    fragments.open_list("moved", {"moved": path})


def close() -> None:
    """Close the list. For callbacks."""
    fragments.close_list("moved", ("moved",))


def open_cell_of(selection: Selection) -> dict[str, str]:
    """Return the cell of the open list from the URL; empty where none is open."""
    value = dict(selection.page_params).get("moved", "")
    return dict(part.split(":", 1) for part in value.split("~") if ":" in part)


def show(selection: Selection, query: MoveQuery) -> None:
    """Draw the open list, if any. Called last on a page."""

    def draw(current: Selection) -> None:
        cell = open_cell_of(current)
        # A page can open one dialog; the list of the frame takes precedence.
        if cell and set(cell) <= CELLS[type(query)] and not drilldown.open_cell_of(current):
            title = escape_markdown(_cell_name(current, query, cell))
            list_dialog = st.dialog(title, width="large", on_dismiss=close)
            list_dialog(_dialog_content)(current, query, cell)

    fragments.dialog(selection, "moved", draw)


def state_names(selection: Selection, query: MigrationQuery) -> dict[str, str]:
    """Return code → words of every state that a migration can start or end in."""
    lang = selection.lang
    if query.by == "bucket":
        names = dict(bucket_sets()[query.buckets].labels(lang))
    elif query.by == "late":
        names = {code: say(f"moved.{code}", lang) for code in ("late", "current")}
    else:
        names = queries.labels("class", lang, query.question.scheme)
    outside = (migration.JOINED, migration.MOVED_IN, *migration.EXITS)
    return names | {code: say(f"moved.{code}", lang) for code in outside}


def _cell_name(selection: Selection, query: MoveQuery, cell: Mapping[str, str]) -> str:
    lang = selection.lang
    if isinstance(query, CohortQuery):
        return _cohort_name(selection, query, cell)
    if "term" in cell:
        terms = ("opening", *migration.TERMS, "closing")
        return say(f"flow.{cell['term']}", lang) if cell["term"] in terms else cell["term"][:40]
    if "rate" in cell:
        is_rate = cell["rate"] in migration.RATES
        return say(f"migration.rate_{cell['rate']}", lang) if is_rate else cell["rate"][:40]
    names = state_names(selection, query)
    return " → ".join(
        names.get(cell[side], cell[side][:40]) for side in ("before", "after") if side in cell
    )


def _cohort_name(selection: Selection, query: CohortQuery, cell: Mapping[str, str]) -> str:
    lang = selection.lang
    parts = [say(f"migration.list_{query.kind}", lang)]
    if "cohort" in cell:
        parts.append(period_name(cell["cohort"], query.period))
    if cell.get("part", WHOLE) != WHOLE and query.question.by:
        names = queries.labels(query.question.by[0], lang, selection.scheme)
        parts.append(names.get(cell["part"], cell["part"][:40]))
    if "month" in cell:
        late = (say(f"migration.late_{query.late}", lang), say(f"overdue.days_{query.days}", lang))
        parts.append(" ".join((*late, say("migration.mob", lang, month=cell["month"][:3]))))
    if cell.get("judged") in ("yes", "missed"):
        key = "judged" if cell["judged"] == "yes" else "missed"
        parts.append(say(f"migration.{key}", lang))
    if "back" in cell:
        parts.append(say("migration.back", lang))
    return " · ".join(parts)


def period_name(first: str, period: str) -> str:
    """Return the name of a cohort by its first day: 2025Q3, 2025, 2025-07."""
    year = first[:4]
    month = first[5:7]
    if period == "quarter" and month.isdecimal():
        return f"{year}Q{(int(month) + 2) // 3}"
    return year if period == "year" else f"{year}-{month}"


def _dialog_content(selection: Selection, query: MoveQuery, cell: Mapping[str, str]) -> None:
    lang = selection.lang
    try:
        total = _count_rows(query, cell)
        count = say(f"drill.count_{_unit(query, cell)}", lang, n=f"{total:,}")
        caption(f"{count} · {say('drill.masked', lang)}")
        key = f"moved_page_{'_'.join(cell.values())}"
        page = list_table.page_picker(total, PAGE_ROWS, key)
        rows = _rows(query, cell, PAGE_ROWS, (page - 1) * PAGE_ROWS)
    except UserError as refusal:
        caption(refusal.text(lang))
        return
    columns = list_table.export_columns(rows, lang)
    st.dataframe(
        list_table.format_table(_with_labels(rows, selection, query), columns, lang),
        hide_index=True,
        alt=_cell_name(selection, query, cell),
        height="content",
        column_config=list_table.number_columns(columns),
    )
    _downloads(selection, query, cell, total)


def _count_rows(query: MoveQuery, cell: Mapping[str, str]) -> int:
    if isinstance(query, CohortQuery):
        return queries.cached_analysis(cohorts.count_rows, query, cell)
    return queries.cached_analysis(migration.count_rows, query, cell)


def _rows(query: MoveQuery, cell: Mapping[str, str], limit: int, offset: int) -> pd.DataFrame:
    if isinstance(query, CohortQuery):
        return queries.cached_analysis(cohorts.list_rows, query, cell, limit, offset)
    return queries.cached_analysis(migration.list_rows, query, cell, limit, offset)


def _unit(query: MoveQuery, cell: Mapping[str, str]) -> str:
    if isinstance(query, CohortQuery):
        return "settlements" if query.kind == "curve" else "loans"
    return "loans" if query.of_loans or {"term", "rate"} & set(cell) else "customers"


def _with_labels(rows: pd.DataFrame, selection: Selection, query: MoveQuery) -> pd.DataFrame:
    if isinstance(query, MigrationQuery):
        names = state_names(selection, query)
        states = {
            side: [names.get(code, code) for code in rows[side]] for side in ("before", "after")
        }
        rows = rows.assign(**states)
    return list_table.with_labels(rows, selection)


def _downloads(selection: Selection, query: MoveQuery, cell: Mapping[str, str], total: int) -> None:
    lang = selection.lang
    if total > EXPORT_LIMIT:
        caption(say("drill.limit", lang, limit=f"{EXPORT_LIMIT:,}"))
        return
    name = _cell_name(selection, query, cell)
    notes = list_table.export_notes(selection, query.question, name, False)
    if isinstance(query, MigrationQuery):
        notes.append((say("changes.compared", lang), str(query.before)))

    def write_file(writer: Writer) -> bytes:
        frame = _with_labels(_rows(query, cell, EXPORT_LIMIT, 0), selection, query)
        return writer(frame, list_table.export_columns(frame, lang), notes, lang)

    kind = f"moved_{query.before}" if isinstance(query, MigrationQuery) else query.kind
    stem = f"{kind}_{query.question.as_of}_{queries.warehouse().edition.id[:8]}"
    with st.container(horizontal=True, gap="small"):
        list_table.downloads(write_file, stem, "moved", lang)
