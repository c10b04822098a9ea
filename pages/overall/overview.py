"""总览: one sentence, six tiles, the tier board, and the list behind whatever is clicked."""

import html

import streamlit as st

from pages.parts import bank, choice, drill, tables, tiles, warm, words

here = choice.now()
facts = []
for metric, as_of in (("overdue_rate_30", here.as_of), ("reloan_rate_90", None)):
    row, _ = bank.whole(bank.about(here, metric), here.lang)
    facts.append(words.level(metric, row, as_of, here.against, here.lang))
facts.append(words.extreme(here, "overdue_rate_30", "class"))
st.html(f'<p class="lp-lead">{html.escape(words.sentence(facts, here.lang))}</p>')
tiles.show(here, warm.TILES)
tables.board(here, warm.BOARD)
drill.show(here)
