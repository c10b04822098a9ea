"""规则手册: a rulebook as the risk officer signed it, in a table with clauses and worked examples."""

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.rulebooks.conditions import plain
from pages.parts.state import rulebook_queries, selection
from pages.parts.widgets import boards, chart, metric_table, rulebook_tables

here = selection.now()
lang, short = here.lang, rulebook_tables.short(here.lang)
rulebook_queries.warn(lang)
scheme = rulebook_queries.shelf()[0][here.scheme]
editions = {book.effective_on.isoformat(): book for book in reversed(scheme.editions)}
book = editions[
    chart.picker(
        here, "edition", list(editions), lambda day: say("rules.edition", lang, day=text.day(day, lang)),
        say("rules.editions", lang),
    )
]  # fmt: skip
boards.heading(book.names[short])
boards.note(
    say("rules.document", lang, document=book.document[short]),
    say("rules.in_force", lang, day=text.day(book.effective_on, lang)),
    say("rules.repealed", lang, day=text.day(book.repealed_on, lang)) if book.repealed_on else "",
    say("rules.approved", lang, by=book.approved_by) if book.approved_by else say("rules.not_approved", lang),
)
boards.note(book.source.get(short, ""))
if not rulebook_queries.is_kept(book):
    st.info(say("rules.not_built", lang))

counts = rulebook_queries.classes(here.as_of, scheme.id)
rulebook_tables.table(
    [say(f"rules.{head}", lang) for head in ("class", "service", "count")],
    [
        (item.names[short], item.service.get(short, ""), f"{counts.get(item.code, 0):,}")
        for item in book.classes
    ] + [(book.class_names(book.unrated)[short], say("rules.unrated", lang), f"{counts.get(book.unrated, 0):,}")],
    right=(2,), tight=(0,),
)  # fmt: skip
boards.note(say(f"rules.counted_{scheme.grain}", lang, month=text.month(here.as_of, lang)))

boards.heading(say("rules.rules", lang))
rulebook_tables.ladder(book, lang)
boards.note(say("rules.ours_means", lang))
if book.parameters:
    boards.heading(say("rules.parameters", lang))
    rulebook_tables.table(
        [say(f"rules.{head}", lang) for head in ("clause", "parameter", "value")],
        [
            (p.note.clause, rulebook_tables.indented(p.names[short], 0, p.note.is_ours, lang), rulebook_tables.parameter(p.value, lang))
            for p in book.parameters.values()
        ],
        right=(2,), tight=(0,),
    )  # fmt: skip
rulebook_tables.calculations(book, lang)
boards.heading(say("rules.examples", lang, count=len(book.examples)))
rulebook_tables.table(
    [say(f"rules.{head}", lang) for head in ("case", "class", "clauses", "facts")],
    [
        (
            case.case[short], book.class_names(case.code)[short], text.listing(list(case.because), lang),
            rulebook_tables.facts_of(book, case, lang),
        )
        for case in book.examples
    ],
    tight=(1,),
)  # fmt: skip
with st.expander(say("rules.as_file", lang, path=book.path)):
    st.code(book.text, language="toml", wrap_lines=True)
st.download_button(
    say("rules.download", lang), book.text, f"{book.id}-{book.effective_on}.toml", "application/toml",
    on_click="ignore", key=f"rulebook_{lang}",
)  # fmt: skip
metric_table.pairs(say("rules.digest", lang), [("sha256", plain(book.digest))])
