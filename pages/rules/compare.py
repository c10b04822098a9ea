"""规则对比与模拟: who changes class when thresholds change, and their observed outcomes."""

import html
from datetime import date, timedelta

import streamlit as st

from analytics import rulebooks
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import rulebook_charts
from analytics.rulebooks import thresholds as moving
from pages.parts.sections import simulator
from pages.parts.state import queries, rulebook_queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import chart, rulebook_tables
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

selection = current_selection()
lang = selection.lang
short = rulebook_tables.rulebook_lang(selection.lang)
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
thresholds = moving.thresholds(base)
values = {}
if thresholds:
    section_title(say("simulate.thresholds", lang, count=len(thresholds)))
    in_part, others = simulator.split_by_part(base, thresholds, lang)
    values = {threshold.key: simulator.value(base, threshold) for threshold in others}
    with st.grid(3, min_column_width=280, gap="small") as wall:
        for threshold in in_part:
            with wall.cell():
                values[threshold.key] = simulator.slider(base, threshold, lang)
else:
    caption(say("simulate.nothing", lang))
with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
    on = st.date_input(
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
edited = moving.with_thresholds(base, values, on)
try:
    after = rulebooks.parse_rulebook_text(edited, path=f"{base.id}/{on}.toml", examples=False)
except rulebooks.RulebookError as refusal:
    st.warning(say("simulate.refused", lang, reason=refusal.text(short)))
    st.stop()

swaps = rulebook_queries.compare(before, after, selection.as_of)
names = {
    code: (after if code in after.class_codes else before).class_names(code)[short]
    for code in swaps.codes
}
moved_count = int(swaps.moved["n"].sum())
everybody = f"{int(swaps.frame['n'].sum()):,}"
section_title(
    say(
        "simulate.moved" if moved_count else "simulate.nobody",
        lang,
        n=f"{moved_count:,}",
        all=everybody,
    )
)
window = say(
    "simulate.window_after" if swaps.window.is_out_of_time else "simulate.window_before",
    lang,
    first=text.month(swaps.window.first, lang),
    last=text.month(swaps.window.last, lang),
)
caption(window)
wall = st.grid(2, min_column_width=520, gap="medium")
with wall.cell():
    simulator.totals(swaps, names, lang)
with wall.cell():
    figure = rulebook_charts.moves(swaps.frame, swaps.codes, names, lang, dark=is_dark())
    chart.draw(figure, f"moves_{lang}", say("simulate.moves", lang))
    caption(say("simulate.moves", lang))
section_title(say("simulate.outcomes" if moved_count else "simulate.outcomes_all", lang))
simulator.swap_sets(swaps, names, lang)

section_title(say("simulate.sign", lang))
problem = moving.failing_example(
    edited,
    lambda text_of_rulebook: rulebooks.parse_rulebook_text(
        text_of_rulebook, path=f"{base.id}/{on}.toml"
    ),
)
if problem:
    caption(say("simulate.examples_fail", lang, reason=problem.text(short)))
else:
    caption(say("simulate.examples_hold", lang))
st.download_button(
    say("simulate.download", lang),
    edited,
    f"{on}.toml",
    "application/toml",
    on_click="ignore",
    key=f"edited_{lang}",
)
