"""合规清单: loans and customers that break a service rule, how many, since when, and which."""

import math
from datetime import date

import streamlit as st

from analytics import compliance, text
from analytics.text import say
from pages.parts import boards, breaches, charts, choice, drill, rulebank, rules

PAGE, LIMIT = 25, 100_000
here = choice.now()
lang, short = here.lang, rules.short(here.lang)
known = compliance.rules(date.fromisoformat(here.as_of))
counts = rulebank.counts(here.as_of)
names = {rule.id: rule.names[short] for rule in known.values()}
worst = counts.loc[counts["breaches"].idxmax()]
boards.lead([
    say("compliance.total", lang, month=text.month(here.as_of, lang), n=f"{int(counts['breaches'].sum()):,}"),
    say("compliance.most", lang, name=names[worst["rule"]], n=f"{int(worst['breaches']):,}"),
], lang)  # fmt: skip
breaches.board(here, counts)
boards.note(say("compliance.means", lang))

rule = known[charts.chooser(here, "rule", list(names), names.get, say("compliance.list", lang))]
boards.heading(rule.names[short])
boards.note(f"{rule.document[short]} · {rule.clause}")
boards.note(rule.note[short])
boards.note(say("compliance.breach", lang, words=rule.breach.words(short)))
total = int(counts.set_index("rule").loc[rule.id, "breaches"])
pages = max(1, math.ceil(total / PAGE))
at = st.pagination(pages, key=f"compliance_page_{rule.id}_{here.as_of}") if pages > 1 else 1
lines = rulebank.breaches(here.as_of, rule.id, PAGE, (at - 1) * PAGE)
columns = breaches.columns(rule, lines, lang)
boards.note(f"{say(f'drill.count_{rule.grain}s', lang, n=f'{total:,}')} · {say('drill.masked', lang)}")
st.dataframe(
    drill.printed(breaches.worded(rule, lines, here), columns, lang), hide_index=True, height="content",
    alt=rule.names[short], column_config=breaches.aligned(columns),
)  # fmt: skip


def made(write) -> bytes:
    frame = rulebank.breaches(here.as_of, rule.id, LIMIT)
    return write(breaches.worded(rule, frame, here), columns, breaches.notes(rule, here), lang)


stem = f"{rule.id}_{here.as_of}"
with st.container(horizontal=True, gap="small"):
    drill.downloads(made, stem, f"compliance_{rule.id}", lang, disabled=total == 0)
