"""The customers on whom class and segment disagree: the list and its export."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import export
from analytics.segments import report
from analytics.segments.report import Disagreements, Segments
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart, drilldown
from pages.parts.widgets.text import caption, section_title

PAGE = 15


@st.cache_resource(show_spinner=False, max_entries=24)
def _disagreements(
    edition: str, scope: str, table: str, scheme: str, kind: str, branch: str, _segments: Segments
):
    return _segments.disagreements(queries.warehouse(), scheme, kind, branch)


def disagreements(segments: Segments, selection: Selection) -> None:
    """Draw the customers in a good class and a bad segment, or the reverse, with the drivers."""
    lang = selection.lang
    title = st.container()
    if not segments.base:
        return
    kind = chart.picker(
        selection,
        "kind",
        report.KINDS,
        lambda code: say(f"segments.{code}", lang),
        say("segments.kinds", lang),
    )
    branch = selection.branch[-1] if selection.branch else ""
    try:
        result = _disagreements(
            segments.payload["edition"],
            queries.ROW_SCOPE,
            segments.payload["table"],
            selection.scheme,
            kind,
            branch,
            segments,
        )
    except UserError as refusal:
        return caption(refusal.text(lang))
    balance = text.number(result.balance, "money", lang)
    with title:
        section_title(say("segments.list", lang, n=f"{len(result):,}", balance=balance))
    labelled = {
        "classes": text.listing(
            [report.class_names(selection.scheme, lang).get(c, c) for c in result.classes], lang
        ),
        "segments": text.listing([segments.name(c, lang) for c in result.segments], lang),
    }
    none = say("segments.none", lang)
    key = "segments.list_note" if kind == "good_in_bad" else "segments.list_note_reverse"
    caption(say(key, lang, **{name: message or none for name, message in labelled.items()}))
    if not len(result):
        return caption(say("segments.list_none", lang))
    pages = math.ceil(len(result) / PAGE)
    at = 1
    if pages > 1:
        at = st.pagination(pages, key=f"disagree_page_{kind}_{selection.scheme}_{branch}")
    lines = result.rows(queries.warehouse(), lang, PAGE, (at - 1) * PAGE)
    columns = _columns(lang)
    if len(result.segments) == 1:
        # The note above says which segment it is.
        columns.pop("segment")
    shown = drilldown.format_table(with_labels(lines, segments, selection), columns, lang)
    right = {columns["loan_balance"].header: st.column_config.Column(alignment="right")}
    event = st.dataframe(
        shown,
        hide_index=True,
        height="content",
        column_config=right,
        alt=say(f"segments.{kind}", lang),
        on_select="rerun",
        selection_mode="single-row",
        key=f"disagree_{kind}_{at}_{lang}",
    )
    selected_rows = event["selection"]["rows"]
    with st.container(horizontal=True, gap="small"):
        if selected_rows:
            customer_button(lines["customer_id"].iloc[selected_rows[0]], "list", lang)
        _downloads(result, segments, selection, kind)


def customer_button(number: str, key: str, lang: str) -> None:
    """Draw a button that opens the page of a customer."""
    if st.button(say("segments.open", lang), type="primary", key=f"open_card_{key}_{lang}"):
        st.session_state.customer_number = number
        st.switch_page("pages/analysis/customer.py")


def _downloads(result: Disagreements, segments: Segments, selection: Selection, kind: str) -> None:
    lang = selection.lang
    edition = queries.warehouse().edition
    notes = [
        (say("export.cell", lang), say(f"segments.{kind}", lang)),
        (
            say("export.filters", lang),
            text.listing([w for _, w in applied_filters(selection)], lang)
            or say("export.no_filters", lang),
        ),
        (say("export.as_of", lang), str(segments.as_of)),
        (say("export.scheme", lang), queries.scheme_name(selection.scheme, lang)),
        (say("export.definition", lang), say("segments.never", lang)),
        (
            say("export.edition", lang),
            f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}",
        ),
    ]

    def write_file(write) -> bytes:
        return write(
            with_labels(
                result.rows(queries.warehouse(), lang, drilldown.EXPORT_LIMIT), segments, selection
            ),
            _columns(lang),
            notes,
            lang,
        )

    stem = f"{kind}_{segments.as_of}_{edition.id[:8]}"
    drilldown.downloads(write_file, stem, "disagree", lang)


def with_labels(lines: pd.DataFrame, segments: Segments, selection: Selection) -> pd.DataFrame:
    """Return the list with names of classes and segments in place of codes."""
    names = report.class_names(selection.scheme, selection.lang)
    labels = {
        "class": [names.get(code, code) for code in lines["class"]],
        "segment": [segments.name(code, selection.lang) for code in lines["segment"]],
    }
    return lines.assign(**labels)


def _columns(lang: str) -> dict[str, export.ExportColumn]:
    heads = {
        "customer_id": say("column.customer_id", lang),
        "name": say("column.name", lang),
        "class": say("table.class", lang),
        "segment": say("segments.segment", lang),
        "loan_balance": say("column.loan_balance", lang),
    }
    heads |= {f"pull_{place}": say(f"segments.pull_{place}", lang) for place in (1, 2, 3)}
    return {
        name: export.ExportColumn(words, "money" if name == "loan_balance" else "text")
        for name, words in heads.items()
    }
