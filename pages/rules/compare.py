"""规则对比与模拟: who changes class when thresholds change, and their observed outcomes."""

import html
from datetime import date, timedelta

import streamlit as st

from analytics import rulebooks
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.rulebooks import thresholds as rulebook_thresholds
from pages.parts.sections.rulebooks import simulator
from pages.parts.state import queries, rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import chart
from pages.parts.widgets.text import caption, section_title

selection = current_selection()
lang = selection.lang
scheme = rulebook_queries.rulebooks_on_disk()[0][selection.scheme]
editions = {book.effective_on.isoformat(): book for book in reversed(scheme.editions)}
# A new edition cannot come into force for months that are already graded.
newest = date.fromisoformat(queries.selection_options().months[-1])
st.html(f'<p class="lp-lead">{html.escape(say("simulate.static", lang))}</p>')

with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
    words = {day: say("rules.edition", lang, day=text.day(day, lang)) for day in editions}
    before = editions[
        chart.chooser(
            selection, "from", list(editions), words.__getitem__, say("simulate.before", lang)
        )
    ]
    base = editions[
        chart.chooser(
            selection, "to", list(editions), words.__getitem__, say("simulate.after", lang)
        )
    ]
thresholds = rulebook_thresholds.thresholds(base)
values = {}
if thresholds:
    section_title(say("simulate.thresholds", lang, count=len(thresholds)))
    in_part, others = simulator.split_by_part(base, thresholds, lang)
    values = {threshold.key: simulator.value(base, threshold) for threshold in others}
    with st.grid(3, min_column_width=280, gap="small") as grid:
        for threshold in in_part:
            with grid.cell():
                values[threshold.key] = simulator.slider(base, threshold, lang)
else:
    caption(say("simulate.nothing", lang))
with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
    effective_on = st.date_input(
        say("simulate.effective_on", lang),
        newest + timedelta(days=1),
        key=f"effective_{lang}",
        width=220,
        format="YYYY-MM-DD",
    )
    if thresholds:
        st.button(
            say("simulate.reset", lang),
            on_click=simulator.reset,
            args=(base, thresholds),
            key=f"simulate_reset_{lang}",
        )
new_text = rulebook_thresholds.with_thresholds(base, values, effective_on)
try:
    after = rulebooks.parse_rulebook_text(
        new_text, path=f"{base.id}/{effective_on}.toml", examples=False
    )
except rulebooks.RulebookError as refusal:
    st.warning(say("simulate.refused", lang, reason=refusal.text(lang)))
    st.stop()

swaps = rulebook_queries.compare(before, after, selection.as_of)
names = {
    code: (after if code in after.class_codes else before).class_names(code)[lang]
    for code in swaps.codes
}
simulator.outcome(swaps, names, lang)

simulator.signing(base, new_text, effective_on, lang)
