"""分群: how customers behave, beside what the rulebooks say they are; what that adds, and on whom the two disagree."""

import streamlit as st

from analytics.i18n.text import say
from data.errors import UserError
from pages.parts.sections import segment_boards, segment_disagreements, segment_methods
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards

selection = current_selection()
lang = selection.lang
boards.begin_page()
try:
    of = segment_boards.fitted(selection)
except UserError as refusal:
    st.info(refusal.text(lang))
    st.stop()
segment_boards.lead(of, selection)
segment_boards.outcomes(of, selection)
segment_boards.validation(of, selection)
segment_boards.cells(of, selection)
segment_disagreements.disagreements(of, selection)
segment_boards.profile(of, selection)
segment_methods.explained(of, selection)
segment_methods.made(of, selection)
if selection.filters:
    boards.caption(say("segments.elsewhere", lang))
