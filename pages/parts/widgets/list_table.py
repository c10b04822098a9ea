"""A list of customers or loans as a table: pages, headers, units, labels, downloads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from analytics.metrics.question import Question
from analytics.presentation import export
from analytics.presentation.export import ExportColumn, Notes
from pages.parts.state import queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import Selection
from pages.parts.widgets import tables

PAGE_ROWS = 25
EXPORT_LIMIT = 100_000
# Writes a file: rows, column → header and unit, notes, language.
Writer = Callable[[pd.DataFrame, Mapping[str, ExportColumn], Notes, str], bytes]
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
_FORMATS: tuple[tuple[str, Writer, str], ...] = (
    ("csv", export.csv_bytes, "text/csv"),
    (
        "xlsx",
        export.xlsx_bytes,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
)


def page_picker(total: int, page_rows: int, key: str) -> int:
    """Draw the choice of a page where there are several; return its number, from 1."""
    pages = max(1, math.ceil(total / page_rows))
    return st.pagination(pages, key=key) if pages > 1 else 1


def export_columns(frame: pd.DataFrame, lang: str) -> dict[str, ExportColumn]:
    """Return column → header and unit of a list."""
    return {
        name: ExportColumn(say(f"column.{name}", lang), UNITS.get(name, "text"))
        for name in frame.columns
    }


def number_columns(columns: Mapping[str, ExportColumn]) -> dict[str, Any]:
    """Return the column settings of st.dataframe: numbers are right-aligned."""
    return tables.right_aligned(
        column.header for column in columns.values() if column.unit not in ("text", "date")
    )


def with_labels(frame: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return the list with words in place of codes."""
    labels = {}
    for name in frame:
        if name == "branch":
            tree = queries.branch_tree()
            labels[name] = [
                tree[code].name(selection.lang) if code in tree else code for code in frame[name]
            ]
        elif name in LABELLED_COLUMNS:
            dimension, scheme = LABELLED_COLUMNS[name]
            words = queries.labels(dimension, selection.lang, scheme or selection.scheme)
            labels[name] = [words.get(code, code) for code in frame[name]]
    return frame.assign(**labels)


def format_table(
    frame: pd.DataFrame, columns: Mapping[str, ExportColumn], lang: str
) -> pd.DataFrame:
    """Return the list as printed: headers and values in the reader's language."""
    return pd.DataFrame(
        {
            column.header: [_cell(value, column.unit, lang) for value in frame[name]]
            for name, column in columns.items()
        }
    )


def _cell(value: Any, unit: str, lang: str) -> str:
    if pd.isna(value) or text.is_missing(value):
        return text.NOTHING
    if unit == "date":
        return str(value)[:10]
    return str(value) if unit == "text" else text.exact(float(value), unit, lang)


def export_notes(
    selection: Selection, question: Question, cell: str, hit: bool
) -> list[tuple[str, str]]:
    """Return the notes of an export: metric, definition, cell, filters, month, scheme, edition.

    `cell` is in words; with `hit` the list has only what counts in the numerator.
    """
    lang = selection.lang
    metric = METRICS[question.metric]
    opening = say(f"head.opening_{selection.opening}", lang)
    if hit:
        cell += f" · {say('drill.only_hit', lang, metric=metric.name[lang])}"
    return [
        (say("export.metric", lang), f"{metric.name[lang]} ({metric.id})"),
        (say("export.definition", lang), f"{metric.meaning[lang]} {metric.formula[lang]}"),
        (say("export.cell", lang), cell),
        filters_note(selection),
        (say("export.as_of", lang), str(question.as_of)),
        (say("export.scheme", lang), f"{queries.scheme_name(selection.scheme, lang)} · {opening}"),
        edition_note(lang),
    ]


def filters_note(selection: Selection) -> tuple[str, str]:
    """Return the note of an export about the filters of the selection."""
    lang = selection.lang
    filters = text.listing([words for _, words in applied_filters(selection)], lang)
    return say("export.filters", lang), filters or say("export.no_filters", lang)


def edition_note(lang: str) -> tuple[str, str]:
    """Return the note of an export about the edition: id, source and day of the data."""
    edition = queries.warehouse().edition
    day = text.day(queries.edition_as_of(edition), lang)
    return say("export.edition", lang), f"{edition.id} · {edition.source} · {day}"


def downloads(
    write_file: Callable[[Writer], bytes],
    stem: str,
    key: str,
    lang: str,
    *,
    disabled: bool = False,
) -> None:
    """Draw the CSV and Excel buttons; a press calls `write_file` with the writer of the format."""
    for kind, writer, mime in _FORMATS:
        st.download_button(
            say(f"drill.download_{kind}", lang),
            lambda writer=writer: write_file(writer),
            f"{stem}.{kind}",
            mime,
            on_click="ignore",
            key=f"{key}_{kind}_{lang}",
            disabled=disabled,
        )
