"""合规清单: loans and customers that break a service rule, how many, since when, and which."""

import math
from datetime import date

import streamlit as st

from analytics.grading import compliance
from analytics.i18n import text
from analytics.i18n.text import say
from pages.parts.sections import compliance as sections_compliance
from pages.parts.state import rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, drilldown, rulebook_tables

PAGE, LIMIT = 25, 100_000
selection = current_selection()
lang, short = selection.lang, rulebook_tables.rulebook_lang(selection.lang)
known = compliance.rules(date.fromisoformat(selection.as_of))
counts = rulebook_queries.compliance_counts(selection.as_of)
names = {rule.id: rule.names[short] for rule in known.values()}
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
sections_compliance.board(selection, counts)
boards.caption(say("compliance.means", lang))

rule = known[chart.chooser(selection, "rule", list(names), names.get, say("compliance.list", lang))]
boards.section_title(rule.names[short])
boards.caption(f"{rule.document[short]} · {rule.clause}")
boards.caption(rule.note[short])
boards.caption(say("compliance.breach", lang, words=rule.breach.words(short)))
total = int(counts.set_index("rule").loc[rule.id, "breaches"])
pages = max(1, math.ceil(total / PAGE))
at = st.pagination(pages, key=f"compliance_page_{rule.id}_{selection.as_of}") if pages > 1 else 1
lines = rulebook_queries.breaches(selection.as_of, rule.id, PAGE, (at - 1) * PAGE)
columns = sections_compliance.columns(rule, lines, lang)
boards.caption(
    f"{say(f'drill.count_{rule.grain}s', lang, n=f'{total:,}')} · {say('drill.masked', lang)}"
)
st.dataframe(
    drilldown.format_table(sections_compliance.worded(rule, lines, selection), columns, lang),
    hide_index=True,
    height="content",
    alt=rule.names[short],
    column_config=sections_compliance.aligned(columns),
)


def made(write) -> bytes:
    frame = rulebook_queries.breaches(selection.as_of, rule.id, LIMIT)
    return write(
        sections_compliance.worded(rule, frame, selection),
        columns,
        sections_compliance.notes(rule, selection),
        lang,
    )


stem = f"{rule.id}_{selection.as_of}"
with st.container(horizontal=True, gap="small"):
    drilldown.downloads(made, stem, f"compliance_{rule.id}", lang, disabled=total == 0)
