"""分群: how customers behave, beside what the rulebooks say they are; what that adds, and on whom the two disagree."""

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from data.errors import Refused
from pages.parts.sections import segment_boards, segment_disagreements, segment_methods
from pages.parts.state import selection
from pages.parts.widgets import boards

here = selection.now()
lang = here.lang
boards.begin()
try:
    of = segment_boards.fitted(here)
except Refused as refusal:
    st.info(text.half(refusal, lang))
    st.stop()
segment_boards.lead(of, here)
segment_boards.outcomes(of, here)
segment_boards.validation(of, here)
segment_boards.cells(of, here)
segment_disagreements.disagreements(of, here)
segment_boards.profile(of, here)
segment_methods.explained(of, here)
segment_methods.made(of, here)
if here.filters:
    boards.note(say("segments.elsewhere", lang))
