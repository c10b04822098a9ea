"""The sections of the rulebook page: document, classes, parameters, examples, the file."""

from __future__ import annotations

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.rulebooks import Rulebook, Scheme
from pages.parts.state import rulebook_queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import rulebook_tables
from pages.parts.widgets.text import caption, section_title


def document(book: Rulebook, lang: str) -> None:
    """Draw the document behind a rulebook, since when it is in force, and who approved it."""
    section_title(book.names[lang])
    caption(
        say("rules.document", lang, document=book.document[lang]),
        say("rules.in_force", lang, day=text.day(book.effective_on, lang)),
        say("rules.repealed", lang, day=text.day(book.repealed_on, lang))
        if book.repealed_on
        else "",
        say("rules.approved", lang, by=book.approved_by)
        if book.approved_by
        else say("rules.not_approved", lang),
    )
    caption(book.source.get(lang, ""))
    if not rulebook_queries.graded_the_data(book):
        st.info(say("rules.not_built", lang))


def classes(selection: Selection, scheme: Scheme, book: Rulebook) -> None:
    """Draw the classes with their service and the number of customers or loans in each."""
    lang = selection.lang
    counts = rulebook_queries.class_counts(selection.as_of, scheme.id)
    rulebook_tables.table(
        [say(f"rules.{head}", lang) for head in ("class", "service", "count")],
        [
            (item.names[lang], item.service.get(lang, ""), f"{counts.get(item.code, 0):,}")
            for item in book.classes
        ]
        + [
            (
                book.class_names(book.unrated)[lang],
                say("rules.unrated", lang),
                f"{counts.get(book.unrated, 0):,}",
            )
        ],
        right=(2,),
        tight=(0,),
    )
    caption(say(f"rules.counted_{scheme.grain}", lang, month=text.month(selection.as_of, lang)))


def parameters(book: Rulebook, lang: str) -> None:
    """Draw the parameters of a rulebook, if it has any."""
    if book.parameters:
        section_title(say("rules.parameters", lang))
        rulebook_tables.table(
            [say(f"rules.{head}", lang) for head in ("clause", "parameter", "value")],
            [
                (
                    p.note.clause,
                    rulebook_tables.indented(p.names[lang], 0, p.note.is_ours, lang),
                    rulebook_tables.parameter(p.value, lang),
                )
                for p in book.parameters.values()
            ],
            right=(2,),
            tight=(0,),
        )


def examples(book: Rulebook, lang: str) -> None:
    """Draw the worked examples of a rulebook."""
    section_title(say("rules.examples", lang, count=len(book.examples)))
    rulebook_tables.table(
        [say(f"rules.{head}", lang) for head in ("case", "class", "clauses", "facts")],
        [
            (
                case.case[lang],
                book.class_names(case.code)[lang],
                text.listing(list(case.because), lang),
                rulebook_tables.facts_of(book, case, lang),
            )
            for case in book.examples
        ],
        tight=(1,),
    )


def file(book: Rulebook, lang: str) -> None:
    """Draw the text of a rulebook and its download."""
    with st.expander(say("rules.as_file", lang, path=book.path)):
        st.code(book.text, language="toml", wrap_lines=True)
    st.download_button(
        say("rules.download", lang),
        book.text,
        f"{book.id}-{book.effective_on}.toml",
        "application/toml",
        on_click="ignore",
        key=f"rulebook_{lang}",
    )
