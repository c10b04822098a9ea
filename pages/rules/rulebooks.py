"""规则手册: a rulebook as approved, in a table with clauses and worked examples."""

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.rulebooks.conditions import plain_text
from pages.parts.sections.rulebooks import rulebook
from pages.parts.state import rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import chart, rulebook_tables, tables
from pages.parts.widgets.text import caption, section_title

selection = current_selection()
lang = selection.lang
rulebook_queries.warn_of_invalid_rulebooks(lang)
scheme = rulebook_queries.rulebooks_on_disk()[0][selection.scheme]
editions = {book.effective_on.isoformat(): book for book in reversed(scheme.editions)}
book = editions[
    chart.picker(
        selection,
        "edition",
        list(editions),
        lambda day: say("rules.edition", lang, day=text.day(day, lang)),
        say("rules.editions", lang),
    )
]
rulebook.document(book, lang)
rulebook.classes(selection, scheme, book)

section_title(say("rules.rules", lang))
rulebook_tables.rulebook_table(book, lang)
caption(say("rules.ours_means", lang))
rulebook.parameters(book, lang)
rulebook_tables.calculations(book, lang)
rulebook.examples(book, lang)
rulebook.file(book, lang)
tables.pairs(say("rules.digest", lang), [("sha256", plain_text(book.digest))])
