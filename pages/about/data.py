"""数据: the edition served, its freshness, row counts, rejected rows, and the invariants."""

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from data.contract.schema import read_contract
from data.messages import reason_in
from pages.parts.sections import invariants
from pages.parts.state import queries, rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, metric_table
from pages.parts.widgets.text import caption, section_title

selection = current_selection()
lang = selection.lang
side = 0 if selection.lang == "zh-CN" else 1
edition = queries.warehouse().edition
ledger = queries.reconciliation()
contract = read_contract()
COUNTS = ("read", "loaded", "rejected", "skipped", "orphans")


def counted(number: float) -> str:
    return text.number(number, "count", lang)


def named(table: str) -> tuple[str, str]:
    return table, (contract.table(table).zh, contract.table(table).en)[side]


fresh = say(
    "data.fresh",
    lang,
    as_of=text.day(edition.as_of, lang),
    first=text.month(edition.months[0], lang),
    months=len(edition.months),
    built=edition.created[:16].replace("T", " "),
    source=edition.source,
)
sums = {name: counted(ledger[name].sum()) for name in COUNTS}
boards.headline([fresh, say("data.sums", lang, **sums)], lang)

invariants.invariants(selection)
rulebook_queries.warn_of_invalid_rulebooks(lang)
history = queries.history()
section_title(say("data.editions", lang, count=len(history)))
metric_table.plain(
    "data",
    ("edition", "order", "kind", "source", "as_of", "months", "created", "served"),
    [
        (
            one.id,
            one.number,
            say(f"data.{one.kind}", lang),
            one.source,
            one.as_of,
            len(one.months),
            one.created[:16].replace("T", " "),
            say("check.served", lang) if one.id == edition.id else "",
        )
        for one in history
    ],
    say("data.edition", lang),
    lang,
    right=("order", "months"),
)
if len(history) > 1:
    caption(say("data.rollback", lang))
    st.code(f"python -m data editions --rollback {history[1].id}", language="bash")

heads = ("as_of", "table", "meaning", *COUNTS, "totals")
off = list(ledger[~ledger["balanced"].astype(bool)]["table"])
section_title(
    say("data.unbalanced" if off else "data.balanced", lang, tables=text.listing(off, lang))
)
rows = [
    (
        str(row.as_of)[:10],
        *named(row.table),
        *(counted(getattr(row, name)) for name in COUNTS),
        row.totals,
    )
    for row in ledger.itertuples()
]
metric_table.plain(
    "data", heads, rows, say("data.table", lang), lang, right=COUNTS, height="content"
)

refused = queries.rejected_rows()
section_title(
    say(
        "data.refused" if len(refused) else "data.nothing_refused",
        lang,
        count=counted(len(refused)),
    )
)
if len(refused):
    columns = ("table", "file", "line", "column", "value", "reason")
    rows = [
        (
            row.table_name,
            row.file,
            row.line,
            row.column_name,
            row.value_masked,
            reason_in(row.reason, lang),
        )
        for row in refused.itertuples()
    ]
    metric_table.plain("data", columns, rows, say("data.reason", lang), lang, right=("line",))

absent = queries.empty_tables()
section_title(say("data.absent" if absent else "data.nothing_absent", lang, count=len(absent)))
if absent:
    rows = [
        (
            *named(table),
            text.listing([METRICS[id].name[lang] for id in ids], lang)
            or say("data.fills_none", lang),
        )
        for table, ids in absent.items()
    ]
    metric_table.plain(
        "data",
        ("table", "meaning", "would_fill"),
        rows,
        say("data.table", lang),
        lang,
        height="content",
    )
