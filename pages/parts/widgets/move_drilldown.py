"""The list behind a migration or cohort cell: matrix, money bridge or vintage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType

import pandas as pd
import streamlit as st

from analytics.analysis import cohorts, migration
from analytics.analysis.cohorts import WHOLE, CohortQuery
from analytics.analysis.migration import MigrationQuery
from analytics.i18n.text import say
from analytics.metrics.buckets import sets
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import drilldown
from pages.parts.widgets.text import caption, escape_markdown

CELLS: dict[type, set[str]] = {
    MigrationQuery: {"term", "rate", "before", "after"},
    CohortQuery: {"cohort", "part", "month", "judged", "back"},
}


def open_move(cell: Mapping[str, str]) -> None:
    """Open the list behind a cell of a migration or cohort query. For callbacks."""
    drilldown.open_list(
        "moved", {"moved": "~".join(f"{side}:{code}" for side, code in cell.items())}
    )


def close() -> None:
    """Close the list. For callbacks."""
    drilldown.close_list("moved", ("moved",))


def open_cell_of(selection: Selection) -> dict[str, str]:
    """Return the cell of the open list from the URL; empty where none is open."""
    value = dict(selection.page_params).get("moved", "")
    return dict(part.split(":", 1) for part in value.split("~") if ":" in part)


def show(selection: Selection, query: MigrationQuery | CohortQuery) -> None:
    """Draw the open list, if any. Called last on a page."""

    def draw(current: Selection) -> None:
        cell = open_cell_of(current)
        # A page can open one dialog; the list of the frame takes precedence.
        if cell and set(cell) <= CELLS[type(query)] and not drilldown.open_cell_of(current):
            title = escape_markdown(_cell_name(current, query, cell))
            st.dialog(title, width="large", on_dismiss=close)(_list)(current, query, cell)

    drilldown.dialog(selection, "moved", draw)


def state_names(selection: Selection, query: MigrationQuery) -> dict[str, str]:
    """Return code → words of every state that a migration can start or end in."""
    lang = selection.lang
    if query.by == "bucket":
        names = dict(sets()[query.buckets].labels(lang))
    elif query.by == "late":
        names = {code: say(f"moved.{code}", lang) for code in ("late", "current")}
    else:
        names = queries.labels("class", lang, query.question.scheme)
    outside = (migration.JOINED, migration.MOVED_IN, *migration.EXITS)
    return names | {code: say(f"moved.{code}", lang) for code in outside}


def _cell_name(
    selection: Selection, query: MigrationQuery | CohortQuery, cell: Mapping[str, str]
) -> str:
    lang = selection.lang
    if isinstance(query, CohortQuery):
        return _cohort_name(selection, query, cell)
    if "term" in cell:
        terms = ("opening", *migration.TERMS, "closing")
        return say(f"flow.{cell['term']}", lang) if cell["term"] in terms else cell["term"][:40]
    if "rate" in cell:
        terms = cell["rate"] in migration.RATES
        return say(f"migration.rate_{cell['rate']}", lang) if terms else cell["rate"][:40]
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
        parts.append(
            say("migration.judged" if cell["judged"] == "yes" else "migration.missed", lang)
        )
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


def _list(
    selection: Selection, query: MigrationQuery | CohortQuery, cell: Mapping[str, str]
) -> None:
    lang = selection.lang
    module = _module_of(query)
    try:
        total = queries.cached_analysis(module.count_rows, query, cell)
        count = say(f"drill.count_{_unit(query, cell)}", lang, n=f"{total:,}")
        caption(f"{count} · {say('drill.masked', lang)}")
        pages = max(1, math.ceil(total / drilldown.PAGE_ROWS))
        at = 1
        if pages > 1:
            at = st.pagination(pages, key=f"moved_page_{'_'.join(cell.values())}")
        lines = queries.cached_analysis(
            module.list_rows, query, cell, drilldown.PAGE_ROWS, (at - 1) * drilldown.PAGE_ROWS
        )
    except UserError as refusal:
        caption(refusal.text(lang))
        return
    words = drilldown.export_columns(lines, lang)
    right = {
        c.header: st.column_config.Column(alignment="right")
        for c in words.values()
        if c.unit not in ("text", "date")
    }
    table = drilldown.format_table(_with_labels(lines, selection, query), words, lang)
    st.dataframe(
        table,
        hide_index=True,
        alt=_cell_name(selection, query, cell),
        height="content",
        column_config=right,
    )
    _downloads(selection, query, cell, total)


def _module_of(query: MigrationQuery | CohortQuery) -> ModuleType:
    return cohorts if isinstance(query, CohortQuery) else migration


def _unit(query: MigrationQuery | CohortQuery, cell: Mapping[str, str]) -> str:
    if isinstance(query, CohortQuery):
        return "settlements" if query.kind == "curve" else "loans"
    return "loans" if query.of_loans or {"term", "rate"} & set(cell) else "customers"


def _with_labels(
    lines: pd.DataFrame, selection: Selection, query: MigrationQuery | CohortQuery
) -> pd.DataFrame:
    if isinstance(query, MigrationQuery):
        names = state_names(selection, query)
        states = {
            side: [names.get(code, code) for code in lines[side]] for side in ("before", "after")
        }
        lines = lines.assign(**states)
    return drilldown.with_labels(lines, selection)


def _downloads(
    selection: Selection, query: MigrationQuery | CohortQuery, cell: Mapping[str, str], total: int
) -> None:
    lang = selection.lang
    if total > drilldown.EXPORT_LIMIT:
        caption(say("drill.limit", lang, limit=f"{drilldown.EXPORT_LIMIT:,}"))
        return
    notes = drilldown.export_notes(
        selection, query.question, _cell_name(selection, query, cell), False
    )
    if isinstance(query, MigrationQuery):
        notes.append((say("changes.compared", lang), str(query.before)))

    def write_file(write) -> bytes:
        frame = _with_labels(
            queries.cached_analysis(
                _module_of(query).listed, query, cell, drilldown.EXPORT_LIMIT, 0
            ),
            selection,
            query,
        )
        return write(frame, drilldown.export_columns(frame, lang), notes, lang)

    what = f"moved_{query.before}" if isinstance(query, MigrationQuery) else query.kind
    stem = f"{what}_{query.question.as_of}_{queries.warehouse().edition.id[:8]}"
    with st.container(horizontal=True, gap="small"):
        drilldown.downloads(write_file, stem, "moved", lang)
