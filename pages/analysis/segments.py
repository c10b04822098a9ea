"""分群: behavioural segments beside rulebook classes; what they add, where the two disagree."""

import streamlit as st

from analytics.i18n.text import say
from data.errors import UserError
from pages.parts.sections.segments import segment_boards, segment_disagreements, segment_methods
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards
from pages.parts.widgets.text import caption

selection = current_selection()
lang = selection.lang
boards.begin_page()
try:
    segments = segment_boards.segments_of(selection)
except UserError as refusal:
    st.info(refusal.text(lang))
    st.stop()
segment_boards.lead(segments, selection)
segment_boards.outcomes(segments, selection)
segment_boards.validation(segments, selection)
segment_boards.cells(segments, selection)
segment_disagreements.disagreements(segments, selection)
segment_boards.profile(segments, selection)
segment_methods.explanation(segments, selection)
segment_methods.method_details(segments, selection)
if selection.filters:
    caption(say("segments.elsewhere", lang))
