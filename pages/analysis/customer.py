"""客户: one customer, found by number: the class in every scheme and why, two years, loans, worth, warnings."""

import streamlit as st

from analytics import rule_figures, text
from analytics.text import say
from data.engine import Refused
from pages.parts import bank, boards, charts, choice, rulebank, rules, tiles
from pages.parts import person as show

here = choice.now()
lang, short = here.lang, rules.short(here.lang)
# The number stays in the session: an address is copied, logged and bookmarked.
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    number = st.text_input(say("card.number", lang), key="customer_number", width=260, max_chars=64).strip()
    grain = bank.schemes()[here.scheme].grain
    if grain == "customer":
        show.examples(here)
if not number:
    boards.note(say("card.how", lang))
    st.stop()
try:
    card = rulebank.card_of(here.as_of, number)
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
    rules.trace(case.book, case.decision, lang)

boards.heading(say("card.history", lang, months=len(card.history)))
with st.container(key="history"):
    figure = rule_figures.history(card.history, show.ladders(card, here), lang, dark=tiles.is_dark())
    charts.draw(figure, f"history_{lang}", say("card.history", lang, months=len(card.history)))
boards.note(say("card.history_note", lang))
left, right = st.columns(2, gap="large")
with left:
    show.contribution(card, lang)
with right:
    show.products(card, here)
show.listed("loans", card.loans, here)
show.listed("payments", card.payments, here)
show.listed("warnings", card.warnings, here)
