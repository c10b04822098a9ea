"""The list behind a move or a cohort: a cell of a matrix, a term of the money bridge, a point of a vintage, masked."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from types import ModuleType

import streamlit as st

from analytics.analysis import cohorts, migration
from analytics.analysis.cohorts import WHOLE, Cohorts
from analytics.analysis.migration import Moves
from analytics.i18n.text import say
from analytics.metrics.buckets import sets
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import drilldown
from pages.parts.widgets.text import escape_markdown

CELLS = {
    Moves: {"term", "rate", "before", "after"},
    Cohorts: {"cohort", "part", "month", "judged", "back"},
}


def open_move(picked: Mapping[str, str]) -> None:
    """Open the list behind a cell as `moves.listed` or `cohorts.listed` takes it. For callbacks."""
    drilldown.open_list(
        "moved", {"moved": "~".join(f"{side}:{code}" for side, code in picked.items())}
    )


def close() -> None:
    """Close the list. For callbacks."""
    drilldown.close_list("moved", ("moved",))


def open_cell_of(selection: Selection) -> dict[str, str]:
    """The cell of the open list as the URL has it; empty where none is open."""
    told = dict(selection.page_params).get("moved", "")
    return dict(part.split(":", 1) for part in told.split("~") if ":" in part)


def show(selection: Selection, asked: Moves | Cohorts) -> None:
    """The open list, if one is open. Call it last."""

    def draw(now: Selection) -> None:
        picked = open_cell_of(now)
        # A page holds one dialog: the frame's own list goes first.
        if picked and set(picked) <= CELLS[type(asked)] and not drilldown.open_cell_of(now):
            title = escape_markdown(_cell_name(now, asked, picked))
            st.dialog(title, width="large", on_dismiss=close)(_list)(now, asked, picked)

    drilldown.dialog(selection, "moved", draw)


def state_names(selection: Selection, asked: Moves) -> dict[str, str]:
    """Code → words of every state a move can start or end in."""
    lang = selection.lang
    if asked.by == "bucket":
        names = dict(sets()[asked.buckets].labels(lang))
    elif asked.by == "late":
        names = {code: say(f"moved.{code}", lang) for code in ("late", "current")}
    else:
        names = queries.labels("class", lang, asked.question.scheme)
    outside = (migration.JOINED, migration.MOVED_IN, *migration.EXITS)
    return names | {code: say(f"moved.{code}", lang) for code in outside}


def _cell_name(selection: Selection, asked: Moves | Cohorts, picked: Mapping[str, str]) -> str:
    lang = selection.lang
    if isinstance(asked, Cohorts):
        return _cohort_name(selection, asked, picked)
    if "term" in picked:
        known = ("opening", *migration.TERMS, "closing")
        return (
            say(f"flow.{picked['term']}", lang) if picked["term"] in known else picked["term"][:40]
        )
    if "rate" in picked:
        known = picked["rate"] in migration.RATES
        return say(f"migration.rate_{picked['rate']}", lang) if known else picked["rate"][:40]
    names = state_names(selection, asked)
    return " → ".join(
        names.get(picked[side], picked[side][:40]) for side in ("before", "after") if side in picked
    )


def _cohort_name(selection: Selection, asked: Cohorts, picked: Mapping[str, str]) -> str:
    lang = selection.lang
    told = [say(f"migration.list_{asked.kind}", lang)]
    if "cohort" in picked:
        told.append(period_name(picked["cohort"], asked.period))
    if picked.get("part", WHOLE) != WHOLE and asked.question.by:
        names = queries.labels(asked.question.by[0], lang, selection.scheme)
        told.append(names.get(picked["part"], picked["part"][:40]))
    if "month" in picked:
        late = (say(f"migration.late_{asked.late}", lang), say(f"overdue.days_{asked.days}", lang))
        told.append(" ".join((*late, say("migration.mob", lang, month=picked["month"][:3]))))
    if picked.get("judged") in ("yes", "missed"):
        told.append(
            say("migration.judged" if picked["judged"] == "yes" else "migration.missed", lang)
        )
    if "back" in picked:
        told.append(say("migration.back", lang))
    return " · ".join(told)


def period_name(first: str, period: str) -> str:
    """A cohort by its first day: 2025Q3, 2025, 2025-07."""
    year, month = first[:4], first[5:7]
    if period == "quarter" and month.isdecimal():
        return f"{year}Q{(int(month) + 2) // 3}"
    return year if period == "year" else f"{year}-{month}"


def _list(selection: Selection, asked: Moves | Cohorts, picked: Mapping[str, str]) -> None:
    lang = selection.lang
    room = _module_of(asked)
    try:
        total = queries.cached_analysis(room.counted, asked, picked)
        counted = say(f"drill.count_{_unit(asked, picked)}", lang, n=f"{total:,}")
        st.html(
            f'<p class="lp-note">{html.escape(counted)} · {html.escape(say("drill.masked", lang))}</p>'
        )
        pages, at = max(1, math.ceil(total / drilldown.PAGE_ROWS)), 1
        if pages > 1:
            at = st.pagination(pages, key=f"moved_page_{'_'.join(picked.values())}")
        lines = queries.cached_analysis(
            room.listed, asked, picked, drilldown.PAGE_ROWS, (at - 1) * drilldown.PAGE_ROWS
        )
    except UserError as refusal:
        st.html(f'<p class="lp-note">{html.escape(refusal.text(lang))}</p>')
        return
    words = drilldown.export_columns(lines, lang)
    right = {
        c.header: st.column_config.Column(alignment="right")
        for c in words.values()
        if c.unit not in ("text", "date")
    }
    table = drilldown.format_table(_with_labels(lines, selection, asked), words, lang)
    st.dataframe(
        table,
        hide_index=True,
        alt=_cell_name(selection, asked, picked),
        height="content",
        column_config=right,
    )
    _downloads(selection, asked, picked, total)


def _module_of(asked: Moves | Cohorts) -> ModuleType:
    return cohorts if isinstance(asked, Cohorts) else migration


def _unit(asked: Moves | Cohorts, picked: Mapping[str, str]) -> str:
    if isinstance(asked, Cohorts):
        return "settlements" if asked.kind == "curve" else "loans"
    return "loans" if asked.of_loans or {"term", "rate"} & set(picked) else "customers"


def _with_labels(lines, selection: Selection, asked: Moves | Cohorts):
    if isinstance(asked, Moves):
        names = state_names(selection, asked)
        states = {
            side: [names.get(code, code) for code in lines[side]] for side in ("before", "after")
        }
        lines = lines.assign(**states)
    return drilldown.with_labels(lines, selection)


def _downloads(
    selection: Selection, asked: Moves | Cohorts, picked: Mapping[str, str], total: int
) -> None:
    lang = selection.lang
    if total > drilldown.EXPORT_LIMIT:
        st.html(
            f'<p class="lp-note">{html.escape(say("drill.limit", lang, limit=f"{drilldown.EXPORT_LIMIT:,}"))}</p>'
        )
        return
    notes = drilldown.export_notes(
        selection, asked.question, _cell_name(selection, asked, picked), False
    )
    if isinstance(asked, Moves):
        notes.append((say("changes.compared", lang), str(asked.before)))

    def made(write) -> bytes:
        frame = _with_labels(
            queries.cached_analysis(
                _module_of(asked).listed, asked, picked, drilldown.EXPORT_LIMIT, 0
            ),
            selection,
            asked,
        )
        return write(frame, drilldown.export_columns(frame, lang), notes, lang)

    what = f"moved_{asked.before}" if isinstance(asked, Moves) else asked.kind
    stem = f"{what}_{asked.question.as_of}_{queries.warehouse().edition.id[:8]}"
    with st.container(horizontal=True, gap="small"):
        drilldown.downloads(made, stem, "moved", lang)
