"""客户: one customer, found by number: the class in every scheme and why, two years, loans, worth, warnings."""

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import rulebook_charts
from data.errors import Refused
from pages.parts.sections import customer as show
from pages.parts.state import queries, rulebook_queries, selection
from pages.parts.widgets import boards, chart, rulebook_tables
from pages.parts.widgets.theme import is_dark

here = selection.now()
lang, short = here.lang, rulebook_tables.short(here.lang)
# The number stays in the session: an address is copied, logged and bookmarked.
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    number = st.text_input(say("card.number", lang), key="customer_number", width=260, max_chars=64).strip()
    grain = queries.schemes()[here.scheme].grain
    if grain == "customer":
        show.examples(here)
if not number:
    boards.note(say("card.how", lang))
    st.stop()
try:
    card = rulebook_queries.card_of(here.as_of, number)
except Refused as refusal:
    st.warning(text.half(refusal, lang))
    st.stop()

show.who(card, here)
boards.heading(say("card.classes", lang, count=len(card.cases)))
show.classes(card, lang)
case = show.chosen(card, here)
boards.heading(say("card.why", lang, scheme=case.book.names[short], name=case.decision.names[short]))
if case.decision.code != case.kept:
    st.info(say("card.differs", lang, kept=case.book.class_names(case.kept)[short]))
if case.decision.missing:
    words = [case.book.fact_index[name].words(short) for name in case.decision.missing]
    boards.note(say("card.missing", lang, facts=text.listing(words, lang)))
with st.expander(say("card.trace", lang), expanded=len(case.decision.checks) <= 24):
    rulebook_tables.trace(case.book, case.decision, lang)

boards.heading(say("card.history", lang, months=len(card.history)))
with st.container(key="history"):
    figure = rulebook_charts.history(card.history, show.ladders(card, here), lang, dark=is_dark())
    chart.draw(figure, f"history_{lang}", say("card.history", lang, months=len(card.history)))
boards.note(say("card.history_note", lang))
left, right = st.columns(2, gap="large")
with left:
    show.contribution(card, lang)
with right:
    show.products(card, here)
show.listed("loans", card.loans, here)
show.listed("payments", card.payments, here)
show.listed("warnings", card.warnings, here)
