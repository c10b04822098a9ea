"""The sections of the data page: editions, invariants, row counts, rejected rows, empty tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import streamlit as st

from analytics.analysis.invariants import Check
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics import load_report
from analytics.metrics.definitions import METRICS
from data.contract.schema import read_contract
from data.messages import reason_in
from pages.parts.sections.about import findings
from pages.parts.state import queries, reports
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, tables
from pages.parts.widgets.text import caption, section_title

COUNTS = ("read", "loaded", "rejected", "skipped", "orphans")
VERDICTS = {True: "check.holds", False: "check.fails", None: "check.nothing"}
_HEIGHT = 330


@st.fragment(parallel=True)
def invariants(selection: Selection) -> None:
    """Draw each invariant with its verdict, in a fragment of its own.

    The checks take seconds at a million customers.
    """
    lang = selection.lang
    spot = st.empty()
    with spot:
        st.skeleton(height=_HEIGHT)
    checks = reports.checks(selection.as_of)
    with spot.container():
        section_title(_checks_title(checks, lang))
        caption(findings.held_sentence(lang))
        tables.plain(
            "data",
            ("number", "rule", "verdict", "cases", "example"),
            [
                (
                    check.number,
                    say(f"check.rule_{check.number}", lang),
                    say(VERDICTS[check.holds], lang),
                    text.number(check.cases, "count", lang),
                    check.failed[0] if check.failed else "",
                )
                for check in checks
            ],
            say("data.rule", lang),
            lang,
            right=("cases",),
        )


def _checks_title(checks: Sequence[Check], lang: str) -> str:
    """Say how many invariants hold, of those that could be compared."""
    broken = [check for check in checks if check.failed]
    holding = [check for check in checks if check.holds]
    if broken:
        return say("data.checks_broken", lang, count=len(broken))
    key = "data.checks_hold" if len(holding) == len(checks) else "data.checks_hold_partly"
    return say(key, lang, count=len(holding), all=len(checks))


def freshness(lang: str) -> None:
    """Draw the headline: the edition served, its months, and the rows read in all deliveries."""
    edition = queries.warehouse().edition
    ledger = reports.reconciliation()
    fresh = say(
        "data.fresh",
        lang,
        as_of=text.day(queries.edition_as_of(edition), lang),
        first=text.month(edition.months[0], lang),
        months=len(edition.months),
        built=_minute(edition.created),
        source=edition.source,
    )
    sums = {
        name: text.number(count, "count", lang)
        for name, count in load_report.row_sums(ledger).items()
    }
    money = say("data.money", lang, currency=queries.currency_name(lang))
    boards.headline([fresh, money, say("data.sums", lang, **sums)], lang)
    if edition.notes:
        section_title(say("data.notes", lang, count=len(edition.notes)))
        caption(*(_in_language(note, lang) for note in edition.notes))


def _in_language(note: str, lang: str) -> str:
    """Return the reader's half of a note that a source gives as `中文 / English`."""
    chinese, slash, english = note.partition(" / ")
    return english if slash and lang == "en" else chinese


def editions(lang: str) -> None:
    """Draw the editions, newest first, and the command that goes back to the previous one."""
    current = queries.warehouse().edition.id
    history = reports.history()
    section_title(say("data.editions", lang, count=len(history)))
    tables.plain(
        "data",
        ("edition", "order", "kind", "source", "as_of", "months", "created", "served"),
        [
            (
                edition.id,
                edition.number,
                say(f"data.{edition.kind}", lang),
                edition.source,
                edition.as_of,
                len(edition.months),
                _minute(edition.created),
                say("check.served", lang) if edition.id == current else "",
            )
            for edition in history
        ],
        say("data.edition", lang),
        lang,
        right=("order", "months"),
    )
    if len(history) > 1:
        caption(say("data.rollback", lang))
        st.code(f"python -m data editions --rollback {history[1].id}", language="bash")


def row_counts(lang: str) -> None:
    """Draw what each delivery read, loaded, rejected and skipped, by table."""
    ledger = reports.reconciliation()
    unbalanced = list(ledger[~ledger["balanced"].astype(bool)]["table"])
    title = "data.unbalanced" if unbalanced else "data.balanced"
    section_title(say(title, lang, tables=text.listing(unbalanced, lang)))
    rows = [
        (
            str(row["as_of"])[:10],
            *_ledger_names(row, lang),
            *(text.number(row[name], "count", lang) for name in COUNTS),
            row["totals"],
        )
        for row in ledger.to_dict("records")
    ]
    heads = ("as_of", "table", "meaning", *COUNTS, "totals")
    tables.plain("data", heads, rows, say("data.table", lang), lang, right=COUNTS, height="content")


def rejected_rows(lang: str) -> None:
    """Draw the rejected rows with their place and reason."""
    rejected = reports.rejected_rows()
    title = "data.refused" if len(rejected) else "data.nothing_refused"
    section_title(say(title, lang, count=text.number(len(rejected), "count", lang)))
    if not len(rejected):
        return
    columns = ("table", "file", "line", "column", "value", "reason")
    rows = [
        (
            row["table_name"],
            row["file"],
            row["line"],
            row["column_name"],
            row["value_masked"],
            reason_in(row["reason"], lang),
        )
        for row in rejected.to_dict("records")
    ]
    tables.plain("data", columns, rows, say("data.reason", lang), lang, right=("line",))


def empty_tables(lang: str) -> None:
    """Draw the tables without rows and the metrics that each of them would fill."""
    absent = queries.empty_tables()
    section_title(say("data.absent" if absent else "data.nothing_absent", lang, count=len(absent)))
    if not absent:
        return
    rows = [
        (
            *_table_names(table, lang),
            text.listing([METRICS[id].name[lang] for id in ids], lang)
            or say("data.fills_none", lang),
        )
        for table, ids in absent.items()
    ]
    heads = ("table", "meaning", "would_fill")
    tables.plain("data", heads, rows, say("data.table", lang), lang, height="content")


def _ledger_names(row: Mapping[Hashable, Any], lang: str) -> tuple[str, str]:
    """Return the name and the meaning of a table, or of a raw file of a mapped source."""
    if row["is_file"]:
        return row["table"], say("data.raw_file", lang)
    return _table_names(row["table"], lang)


def _table_names(name: str, lang: str) -> tuple[str, str]:
    table, _, column = name.partition(".")
    definition = read_contract().table(table)
    if column:
        return name, definition.columns[column].meaning[lang]
    return name, definition.meaning[lang]


def _minute(created: str) -> str:
    return created[:16].replace("T", " ")
