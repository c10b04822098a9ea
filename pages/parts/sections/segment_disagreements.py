"""The customers on whom class and segment disagree: the list, its downloads, the way to a card."""

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
from pages.parts.widgets import boards, chart, drilldown

PAGE = 15


@st.cache_resource(show_spinner=False, max_entries=24)
def _disagreements(
    edition: str, scope: str, table: str, scheme: str, kind: str, branch: str, _of: Segments
):
    return _of.disagreements(queries.warehouse(), scheme, kind, branch)


def disagreements(of: Segments, selection: Selection) -> None:
    """Who stands in a good class and a bad segment, or the reverse, with the facts that pull; a row opens the card."""
    lang, title = selection.lang, st.container()
    if not of.base:
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
        found = _disagreements(
            of.told["edition"],
            queries.ROW_SCOPE,
            of.told["table"],
            selection.scheme,
            kind,
            branch,
            of,
        )
    except UserError as refusal:
        return boards.caption(refusal.text(lang))
    balance = text.number(found.balance, "money", lang)
    with title:
        boards.section_title(say("segments.list", lang, n=f"{len(found):,}", balance=balance))
    told = {
        "classes": text.listing(
            [report.class_names(selection.scheme, lang).get(c, c) for c in found.classes], lang
        ),
        "segments": text.listing([of.name(c, lang) for c in found.segments], lang),
    }
    none = say("segments.none", lang)
    key = "segments.list_note" if kind == "good_in_bad" else "segments.list_note_reverse"
    boards.caption(say(key, lang, **{name: said or none for name, said in told.items()}))
    if not len(found):
        return boards.caption(say("segments.list_none", lang))
    pages, at = math.ceil(len(found) / PAGE), 1
    if pages > 1:
        at = st.pagination(pages, key=f"disagree_page_{kind}_{selection.scheme}_{branch}")
    lines = found.rows(queries.warehouse(), lang, PAGE, (at - 1) * PAGE)
    columns = _columns(lang)
    if len(found.segments) == 1:
        # The note above says which segment it is.
        columns.pop("segment")
    shown = drilldown.format_table(worded(lines, of, selection), columns, lang)
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
    picked = event["selection"]["rows"]
    with st.container(horizontal=True, gap="small"):
        if picked:
            open_card(lines["customer_id"].iloc[picked[0]], "list", lang)
        _downloads(found, of, selection, kind)


def open_card(number: str, key: str, lang: str) -> None:
    """A button that opens the card of a customer."""
    if st.button(say("segments.open", lang), type="primary", key=f"open_card_{key}_{lang}"):
        st.session_state.customer_number = number
        st.switch_page("pages/analysis/customer.py")


def _downloads(found: Disagreements, of: Segments, selection: Selection, kind: str) -> None:
    lang, edition = selection.lang, queries.warehouse().edition
    notes = [
        (say("export.cell", lang), say(f"segments.{kind}", lang)),
        (
            say("export.filters", lang),
            text.listing([w for _, w in applied_filters(selection)], lang)
            or say("export.no_filters", lang),
        ),
        (say("export.as_of", lang), str(of.as_of)),
        (say("export.scheme", lang), queries.scheme_name(selection.scheme, lang)),
        (say("export.definition", lang), say("segments.never", lang)),
        (
            say("export.edition", lang),
            f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}",
        ),
    ]

    def made(write) -> bytes:
        return write(
            worded(found.rows(queries.warehouse(), lang, drilldown.EXPORT_LIMIT), of, selection),
            _columns(lang),
            notes,
            lang,
        )

    stem = f"{kind}_{of.as_of}_{edition.id[:8]}"
    drilldown.downloads(made, stem, "disagree", lang)


def worded(lines: pd.DataFrame, of: Segments, selection: Selection) -> pd.DataFrame:
    """Lines of a list with the names of classes and segments in place of codes."""
    names = report.class_names(selection.scheme, selection.lang)
    segments = [of.name(code, selection.lang) for code in lines["segment"]]
    return lines.assign(
        **{"class": [names.get(code, code) for code in lines["class"]], "segment": segments}
    )


def _columns(lang: str) -> dict[str, export.Column]:
    heads = {
        "customer_id": say("column.customer_id", lang),
        "name": say("column.name", lang),
        "class": say("table.class", lang),
        "segment": say("segments.segment", lang),
        "loan_balance": say("column.loan_balance", lang),
    }
    heads |= {f"pull_{place}": say(f"segments.pull_{place}", lang) for place in (1, 2, 3)}
    return {
        name: export.Column(words, "money" if name == "loan_balance" else "text")
        for name, words in heads.items()
    }
