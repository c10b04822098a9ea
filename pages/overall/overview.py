"""总览: one sentence, six tiles, the tier board, and the list behind whatever is clicked."""

import html

import streamlit as st

from pages.parts import bank, choice, drill, tables, tiles, warm, words

here = choice.now()
facts = [
    words.level(metric, bank.ask(bank.about(here, metric)).iloc[0], as_of, here.against, here.lang)
    for metric, as_of in (("overdue_rate_30", here.as_of), ("reloan_rate_90", None))
]
by_class = bank.ask(bank.about(here, "overdue_rate_30", ("class",), compare=False))
names = bank.labels("class", here.lang, here.scheme)
facts.append(words.extreme("overdue_rate_30", by_class, "class", names, here.lang))
st.html(f'<p class="lp-lead">{html.escape(words.sentence(facts, here.lang))}</p>')
tiles.show(here, warm.TILES)
tables.board(here, warm.BOARD)
drill.show(here)
