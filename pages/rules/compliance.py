"""合规清单: loans and customers in breach of service rules: how many, the trend, and which."""

from datetime import date

import streamlit as st

from analytics.grading import compliance
from analytics.i18n import text
from analytics.i18n.text import say
from pages.parts.sections.rulebooks import compliance_board
from pages.parts.state import rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, list_table
from pages.parts.widgets.list_table import EXPORT_LIMIT, PAGE_ROWS, Writer
from pages.parts.widgets.text import caption, section_title

selection = current_selection()
lang = selection.lang
rules = compliance.rules_in_force(date.fromisoformat(selection.as_of))
counts = rulebook_queries.compliance_counts(selection.as_of)
names = {rule.id: rule.names[lang] for rule in rules.values()}
worst = counts.loc[counts["breaches"].idxmax()]
boards.headline(
    [
        say(
            "compliance.total",
            lang,
            month=text.month(selection.as_of, lang),
            n=f"{int(counts['breaches'].sum()):,}",
        ),
        say("compliance.most", lang, name=names[worst["rule"]], n=f"{int(worst['breaches']):,}"),
    ],
    lang,
)
compliance_board.board(selection, counts)
caption(say("compliance.means", lang))

rule = rules[
    chart.chooser(selection, "rule", list(names), names.__getitem__, say("compliance.list", lang))
]
section_title(rule.names[lang])
caption(f"{rule.document[lang]} · {rule.clause}")
caption(rule.note[lang])
caption(say("compliance.breach", lang, words=rule.breach.words(lang)))
total = int(counts.set_index("rule").loc[rule.id, "breaches"])
page = list_table.page_picker(total, PAGE_ROWS, f"compliance_page_{rule.id}_{selection.as_of}")
rows = rulebook_queries.breaches(selection.as_of, rule.id, PAGE_ROWS, (page - 1) * PAGE_ROWS)
columns = compliance_board.columns(rule, rows, lang)
caption(f"{say(f'drill.count_{rule.grain}s', lang, n=f'{total:,}')} · {say('drill.masked', lang)}")
st.dataframe(
    list_table.format_table(compliance_board.with_labels(rule, rows, selection), columns, lang),
    hide_index=True,
    height="content",
    alt=rule.names[lang],
    column_config=list_table.number_columns(columns),
)


def write_file(writer: Writer) -> bytes:
    """Return the file of all breaches of the rule."""
    frame = rulebook_queries.breaches(selection.as_of, rule.id, EXPORT_LIMIT)
    return writer(
        compliance_board.with_labels(rule, frame, selection),
        columns,
        compliance_board.export_notes(rule, selection),
        lang,
    )


stem = f"{rule.id}_{selection.as_of}"
with st.container(horizontal=True, gap="small"):
    list_table.downloads(write_file, stem, f"compliance_{rule.id}", lang, disabled=total == 0)
