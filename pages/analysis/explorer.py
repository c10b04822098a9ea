"""下钻: any metric by up to three dimensions in free order, from the whole bank to the list."""

import streamlit as st

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections.change.controls import month_picker
from pages.parts.sections.explorer import controls, level_board
from pages.parts.sections.explorer.level import Level
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart

selection = current_selection()
lang = selection.lang
boards.begin_page()
metrics = [id for id, metric in METRICS.items() if not metric.retired]
first = "overdue_rate_30"
options = [first, *(id for id in metrics if id != first)]
with st.container(horizontal=True, gap="small"):
    metric = chart.chooser(
        selection, "metric", options, lambda id: METRICS[id].name[lang], say("export.metric", lang)
    )
    before = month_picker(selection)
order = controls.order_picker(selection, metric)
path = controls.path_of(selection, order)
display = chart.picker(
    selection,
    "view",
    level_board.DISPLAYS,
    lambda id: say(f"explorer.view_{id}", lang),
    say("figure.show_as", lang),
)
controls.breadcrumb(selection, path)
level_board.show(Level(selection, metric, order, path), before, display)
