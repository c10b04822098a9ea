"""分群: how customers behave, beside what the rulebooks say they are; what that adds, and on whom the two disagree."""

import streamlit as st

from analytics import text
from analytics.text import say
from data.engine import Refused
from pages.parts import boards, choice, disagreed, segmented, told_apart

here = choice.now()
lang = here.lang
boards.begin()
try:
    of = segmented.fitted(here)
except Refused as refusal:
    st.info(text.half(refusal, lang))
    st.stop()
segmented.lead(of, here)
segmented.outcomes(of, here)
segmented.validation(of, here)
segmented.cells(of, here)
disagreed.disagreements(of, here)
segmented.profile(of, here)
told_apart.explained(of, here)
told_apart.made(of, here)
if here.filters:
    boards.note(say("segments.elsewhere", lang))
