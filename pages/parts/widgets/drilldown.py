"""The list behind a cell: the customers or loans that it counted, masked, in pages, for export."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.query import Question
from analytics.presentation import export
from data.errors import UserError
from pages.parts.state import navigation, queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import (
    Correction,
    Selection,
    current_selection,
    link_params,
    set_param,
    without_params,
)
from pages.parts.widgets.text import caption, escape_markdown

# Outcomes of a tier that the page on tiers can show, the first by default.
OUTCOMES = (
    "overdue_rate_30",
    "overdue_rate",
    "npl_ratio",
    "reloan_rate_90",
    "contribution_net",
    "products_per_customer",
)
# URL parameter that opens a list → the fragment that draws it.
DIALOG_FRAGMENTS = {"open": "list", "moved": "list_moved"}
DIALOG_PARAMS = ("open", "cell", "moved")
PAGE_ROWS = 25
EXPORT_LIMIT = 100_000


def open_cell(metric: str, cell: Mapping[str, str]) -> None:
    """Open the list behind a cell: dimension → code; `as_of` may be among them.

    For callbacks, as their last call.
    """
    path = "~".join(f"{column}:{code}" for column, code in cell.items())
    open_list("open", {"open": metric, "cell": path or None})


def close() -> None:
    """Close the list. For callbacks."""
    close_list("open", ("open", "cell"))


def open_list(switch: str, params: Mapping[str, str | None]) -> None:
    """Set the parameters that open a list, and rerun that list alone.

    Sending and drawing the unchanged page again would take several times as long.
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
    selection: Selection, name: str, frame: Any, on_click: Callable[[int, str], None], **more: Any
) -> None:
    """Draw a table in a section of its own; a click calls `on_click(row, column)`.

    `more` goes to st.dataframe.
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
            **more,
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


def open_cell_of(selection: Selection) -> tuple[str, dict[str, str]] | None:
    """Return (metric, cell) of the open list, or None; invalid parts of the cell are dropped."""
    params = dict(selection.page_params)
    metric = params.get("open", "")
    if metric not in METRICS:
        return None
    cell = dict(part.split(":", 1) for part in params.get("cell", "").split("~") if ":" in part)
    valid = {
        column: code
        for column, code in cell.items()
        if _is_valid_cell(selection, metric, column, code)
    }
    return metric, valid


def problems(selection: Selection) -> list[Correction]:
    """Return what the URL asks of the open list and cannot be shown."""
    params = dict(selection.page_params)
    metric = params.get("open")
    if metric is None:
        return []
    if metric not in METRICS:
        return [("address.unknown_list", {"value": metric})]
    corrections: list[Correction] = []
    for part in filter(None, params.get("cell", "").split("~")):
        column, _, code = part.partition(":")
        if not _is_valid_cell(selection, metric, column, code):
            corrections.append(("address.unknown_cell", {"value": part}))
    return corrections


def _is_valid_cell(selection: Selection, metric: str, column: str, code: str) -> bool:
    if column == "as_of":
        return code in queries.selection_options().months
    if column != "class" and column not in DIMENSIONS:
        return False
    dimension = None if column == "class" else DIMENSIONS[column]
    return METRICS[metric].supports(dimension) and code in queries.labels(
        column, "en", selection.scheme
    )


def cell_question(
    selection: Selection, metric: str, cell: Mapping[str, str]
) -> tuple[Question, dict[str, str]]:
    """Return the question of a cell and its dimensions; a cell with `as_of` is of that month."""
    dimensions = {column: code for column, code in cell.items() if column != "as_of"}
    at = replace(selection, as_of=cell.get("as_of", selection.as_of))
    return queries.question_for(at, metric, tuple(dimensions), compare=False), dimensions


def cell_name(selection: Selection, cell: Mapping[str, str]) -> str:
    """Return the cell in words: 层级 A · 朝阳支行 · 2026年9月."""
    lang = selection.lang
    parts = []
    for column, code in cell.items():
        if column == "as_of":
            parts.append(text.month(code, lang))
        else:
            parts.append(queries.labels(column, lang, selection.scheme).get(code, code))
    return " · ".join(parts) or say("drill.everyone", lang)


def show(selection: Selection) -> None:
    """Draw the open list, if any, as a dialog over the page.

    The frame calls this before the page, so that the dialog opens before charts are redrawn.
    """
    st.session_state.drill_parts = set()
    st.session_state.pop("drill_marked", None)

    def draw(current: Selection) -> None:
        opened = open_cell_of(current)
        if opened is None:
            return
        metric, cell = opened
        name = METRICS[metric].name[current.lang]
        words = cell_name(current, cell)
        title = say("drill.title", current.lang, metric=name, cell=words)
        list_dialog = st.dialog(escape_markdown(title), width="large", on_dismiss=close)
        list_dialog(_list)(current, metric, cell)

    dialog(selection, "open", draw)


def _list(selection: Selection, metric: str, cell: Mapping[str, str]) -> None:
    lang = selection.lang
    declared = METRICS[metric]
    question, dimensions = cell_question(selection, metric, cell)
    with st.container(key="drill"):
        try:
            _page_of_rows(selection, question, dimensions, cell_name(selection, cell))
        except UserError as refusal:
            caption(refusal.text(lang))
            return
        caption(f"{declared.name[lang]}: {declared.meaning[lang]}")


def _page_of_rows(
    selection: Selection, question: Question, dimensions: Mapping[str, str], cell: str
) -> None:
    lang = selection.lang
    declared = METRICS[question.metric]
    hit = False
    if declared.hit:
        label = say("drill.only_hit", lang, metric=declared.name[lang])
        hit = st.toggle(label, key=f"drill_hit_{question.metric}_{lang}")
    total = queries.count(question, dimensions, hit=hit)
    count = say(f"drill.count_{declared.grain}s", lang, n=f"{total:,}")
    caption(f"{count} · {say('drill.masked', lang)}")
    pages = max(1, math.ceil(total / PAGE_ROWS))
    at = 1
    if pages > 1:
        at = st.pagination(
            pages,
            key=f"drill_page_{question.metric}_{question.as_of}_{'_'.join(dimensions.values())}_{hit}",
        )
    lines = queries.rows(
        question, dimensions, hit=hit, limit=PAGE_ROWS, offset=(at - 1) * PAGE_ROWS
    )
    words = export_columns(lines, lang)
    right = {
        c.header: st.column_config.Column(alignment="right")
        for c in words.values()
        if c.unit not in ("text", "date")
    }
    table = format_table(with_labels(lines, selection), words, lang)
    st.dataframe(table, hide_index=True, alt=cell, height="content", column_config=right)
    _downloads(selection, question, dimensions, hit, total, cell)
    _branch_link(selection, question.metric, dimensions)


def _branch_link(selection: Selection, metric: str, dimensions: Mapping[str, str]) -> None:
    """Link to the same cell on the page on tiers, with month, comparison and filters."""
    if set(dimensions) != {"class"} or metric not in OUTCOMES:
        return
    page = navigation.pages(selection.lang)["overall"]["tiers"]
    params = link_params() | {"tier": [dimensions["class"]], "metric": [metric]}
    st.page_link(page, label=say("drill.down", selection.lang), query_params=params)


def export_columns(frame: pd.DataFrame, lang: str) -> dict[str, export.ExportColumn]:
    """Return column → header and unit of a list."""
    return {
        name: export.ExportColumn(say(f"column.{name}", lang), UNITS.get(name, "text"))
        for name in frame.columns
    }


UNITS = {
    "balance": "money",
    "balance_before": "money",
    "overdue_amount": "money",
    "principal": "money",
    "loan_balance": "money",
    "deposit_balance": "money",
    "contribution_net_12m": "money",
    "days_past_due": "days",
    "days_past_due_before": "days",
    "days_late_at_close": "days",
    "loans_open": "count",
    "products_held": "count",
    "disbursed_on": "date",
    "matures_on": "date",
    "closed_on": "date",
    "written_off_on": "date",
    "settled_on": "date",
    "next_disbursed_on": "date",
    "days_since_settled": "days",
}
# Columns whose codes have labels: column → (dimension, scheme; empty for the selected one).
LABELLED_COLUMNS = {
    "product": ("product", ""),
    "manager": ("manager", ""),
    "channel": ("channel", ""),
    "outcome": ("outcome", ""),
    "status": ("status", ""),
    "class": ("class", ""),
    "class_opening": ("class", ""),
    "loan_five": ("class", "loan_five"),
}


def with_labels(frame: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return the list with words in place of codes."""
    labelled = {}
    for name in frame:
        if name == "branch":
            tree = queries.branch_tree()
            labelled[name] = [
                tree[code].name(selection.lang) if code in tree else code for code in frame[name]
            ]
        elif name in LABELLED_COLUMNS:
            dimension, scheme = LABELLED_COLUMNS[name]
            words = queries.labels(dimension, selection.lang, scheme or selection.scheme)
            labelled[name] = [words.get(code, code) for code in frame[name]]
    return frame.assign(**labelled)


def format_table(
    frame: pd.DataFrame, words: Mapping[str, export.ExportColumn], lang: str
) -> pd.DataFrame:
    """Return the list as printed: headers and values in the reader's language."""

    def cell(value: Any, unit: str) -> str:
        if pd.isna(value) or text.is_missing(value):
            return text.NOTHING
        if unit == "date":
            return str(value)[:10]
        return str(value) if unit == "text" else text.exact(float(value), unit, lang)

    return pd.DataFrame(
        {
            column.header: [cell(v, column.unit) for v in frame[name]]
            for name, column in words.items()
        }
    )


def export_notes(
    selection: Selection, question: Question, cell: str, hit: bool
) -> list[tuple[str, str]]:
    """Return the notes of an export: metric, definition, cell, filters, month, scheme, edition."""
    lang = selection.lang
    metric = METRICS[question.metric]
    edition = queries.warehouse().edition
    opening = say(f"head.opening_{selection.opening}", lang)
    applied = text.listing([words for _, words in applied_filters(selection)], lang) or say(
        "export.no_filters", lang
    )
    return [
        (say("export.metric", lang), f"{metric.name[lang]} ({metric.id})"),
        (say("export.definition", lang), f"{metric.meaning[lang]} {metric.formula[lang]}"),
        (
            say("export.cell", lang),
            cell + (f" · {say('drill.only_hit', lang, metric=metric.name[lang])}" if hit else ""),
        ),
        (say("export.filters", lang), applied),
        (
            say("export.as_of", lang),
            str(question.as_of),
        ),
        (
            say("export.scheme", lang),
            f"{queries.scheme_name(selection.scheme, lang)} · {opening}",
        ),
        (
            say("export.edition", lang),
            f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}",
        ),
    ]


def _downloads(
    selection: Selection,
    question: Question,
    dimensions: Mapping[str, str],
    hit: bool,
    total: int,
    cell: str,
) -> None:
    lang = selection.lang
    if total > EXPORT_LIMIT:
        caption(say("drill.limit", lang, limit=f"{EXPORT_LIMIT:,}"))
        return
    stem = f"{question.metric}_{question.as_of}_{queries.warehouse().edition.id[:8]}"

    def write_file(write) -> bytes:
        frame = with_labels(
            queries.rows(question, dimensions, hit=hit, limit=EXPORT_LIMIT), selection
        )
        return write(
            frame, export_columns(frame, lang), export_notes(selection, question, cell, hit), lang
        )

    with st.container(horizontal=True, gap="small"):
        downloads(write_file, stem, "drill", lang)


def downloads(
    write_file: Callable[[Callable], bytes],
    stem: str,
    key: str,
    lang: str,
    *,
    disabled: bool = False,
) -> None:
    """Draw the CSV and Excel buttons; a press calls `write_file` with the writer of the format."""
    for kind, write, mime in _KINDS:
        st.download_button(
            say(f"drill.download_{kind}", lang),
            lambda write=write: write_file(write),
            f"{stem}.{kind}",
            mime,
            on_click="ignore",
            key=f"{key}_{kind}_{lang}",
            disabled=disabled,
        )


_KINDS = (
    ("csv", export.csv_bytes, "text/csv"),
    (
        "xlsx",
        export.xlsx_bytes,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
)
