"""客户: one customer by number: classes and reasons, two years, loans, contribution, warnings."""

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import rulebook_charts
from data.errors import UserError
from pages.parts.sections import customer
from pages.parts.state import queries, rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import chart, rulebook_tables
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

selection = current_selection()
lang = selection.lang
# The number stays in the session: an address is copied, logged and bookmarked.
with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
    number = st.text_input(
        say("card.number", lang), key="customer_number", width=260, max_chars=64
    ).strip()
    grain = queries.schemes()[selection.scheme].grain
    if grain == "customer":
        customer.examples(selection)
if not number:
    caption(say("card.how", lang))
    st.stop()
try:
    profile = rulebook_queries.customer_card(selection.as_of, number)
except UserError as refusal:
    st.warning(refusal.text(lang))
    st.stop()

customer.identity(profile, selection)
section_title(say("card.classes", lang, count=len(profile.cases)))
customer.classes(profile, lang)
case = customer.case_picker(profile, selection)
section_title(say("card.why", lang, scheme=case.book.names[lang], name=case.decision.names[lang]))
if case.decision.code != case.stored_class:
    st.info(say("card.differs", lang, kept=case.book.class_names(case.stored_class)[lang]))
if case.decision.missing:
    words = [case.book.fact_index[name].words(lang) for name in case.decision.missing]
    caption(say("card.missing", lang, facts=text.listing(words, lang)))
with st.expander(say("card.trace", lang), expanded=len(case.decision.trace) <= 24):
    rulebook_tables.trace(case.book, case.decision, lang)

section_title(say("card.history", lang, months=len(profile.history)))
with st.container(key="history"):
    figure = rulebook_charts.history(
        profile.history, customer.ladders(profile, selection), lang, dark=is_dark()
    )
    chart.draw(figure, f"history_{lang}", say("card.history", lang, months=len(profile.history)))
caption(say("card.history_note", lang))
contribution_column, product_column = st.columns(2, gap="large")
with contribution_column:
    customer.contribution(profile, lang)
with product_column:
    customer.products(profile, selection)
customer.history_table("loans", profile.loans, selection)
customer.history_table("payments", profile.payments, selection)
customer.history_table("warnings", profile.warnings, selection)
