"""下钻: any metric by up to three dimensions in free order, from the whole bank to the list."""

import streamlit as st

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections import change, explorer
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
    before = change.month_picker(selection)
order = explorer.order_picker(selection, metric)
path = explorer.path_of(selection, order)
view = chart.picker(
    selection,
    "view",
    explorer.VIEWS,
    lambda id: say(f"explorer.view_{id}", lang),
    say("figure.show_as", lang),
)
explorer.breadcrumb(selection, path)
explorer.level(selection, metric, order, path, before, view)
