"""The customers on whom class and segment disagree: the list and its export."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import export
from analytics.segments import report
from analytics.segments.report import Disagreements, Segments
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart, list_table
from pages.parts.widgets.list_table import Writer
from pages.parts.widgets.text import caption, section_title

PAGE_ROWS = 15


@st.cache_resource(show_spinner=False, max_entries=24)
def _disagreements(
    edition: str, scope: str, table: str, scheme: str, kind: str, branch: str, _segments: Segments
) -> Disagreements:
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
        caption(refusal.text(lang))
        return
    balance = text.number(result.balance, "money", lang)
    with title:
        section_title(say("segments.list", lang, n=f"{len(result):,}", balance=balance))
    caption(_groups_note(result, segments, selection, kind))
    if not len(result):
        caption(say("segments.list_none", lang))
        return
    page = list_table.page_picker(
        len(result), PAGE_ROWS, f"disagree_page_{kind}_{selection.scheme}_{branch}"
    )
    rows = result.rows(queries.warehouse(), lang, PAGE_ROWS, (page - 1) * PAGE_ROWS)
    columns = _columns(lang)
    if len(result.segments) == 1:
        # The note above says which segment it is.
        columns.pop("segment")
    event = st.dataframe(
        list_table.format_table(with_labels(rows, segments, selection), columns, lang),
        hide_index=True,
        height="content",
        column_config=list_table.number_columns(columns),
        alt=say(f"segments.{kind}", lang),
        on_select="rerun",
        selection_mode="single-row",
        key=f"disagree_{kind}_{page}_{lang}",
    )
    selected_rows = event["selection"]["rows"]
    with st.container(horizontal=True, gap="small"):
        if selected_rows:
            customer_button(rows["customer_id"].iloc[selected_rows[0]], "list", lang)
        _downloads(result, segments, selection, kind)


def _groups_note(result: Disagreements, segments: Segments, selection: Selection, kind: str) -> str:
    """Return which classes and which segments the list compares."""
    lang = selection.lang
    none = say("segments.none", lang)
    class_names = report.class_names(selection.scheme, lang)
    classes = [class_names.get(code, code) for code in result.classes]
    names = [segments.name(code, lang) for code in result.segments]
    key = "segments.list_note" if kind == "good_in_bad" else "segments.list_note_reverse"
    return say(
        key,
        lang,
        classes=text.listing(classes, lang) or none,
        segments=text.listing(names, lang) or none,
    )


def customer_button(number: str, key: str, lang: str) -> None:
    """Draw a button that opens the page of a customer."""
    if st.button(say("segments.open", lang), type="primary", key=f"open_card_{key}_{lang}"):
        st.session_state.customer_number = number
        st.switch_page("pages/analysis/customer.py")


def _downloads(result: Disagreements, segments: Segments, selection: Selection, kind: str) -> None:
    lang = selection.lang
    notes = [
        (say("export.cell", lang), say(f"segments.{kind}", lang)),
        list_table.filters_note(selection),
        (say("export.as_of", lang), str(segments.as_of)),
        (say("export.scheme", lang), queries.scheme_name(selection.scheme, lang)),
        (say("export.definition", lang), say("segments.never", lang)),
        list_table.edition_note(lang),
    ]

    def write_file(writer: Writer) -> bytes:
        rows = result.rows(queries.warehouse(), lang, list_table.EXPORT_LIMIT)
        return writer(with_labels(rows, segments, selection), _columns(lang), notes, lang)

    stem = f"{kind}_{segments.as_of}_{queries.warehouse().edition.id[:8]}"
    list_table.downloads(write_file, stem, "disagree", lang)


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
