"""下钻: any metric by up to three splits in free order, from the whole bank to the list, the comparison kept."""

import streamlit as st

from analytics.declared import METRICS
from analytics.text import say
from pages.parts import boards, charts, choice, cut, why

here = choice.now()
lang = here.lang
boards.begin()
metrics = [id for id, metric in METRICS.items() if not metric.retired]
first = "overdue_rate_30"
options = [first, *(id for id in metrics if id != first)]
with st.container(horizontal=True, gap="small"):
    metric = charts.chooser(here, "metric", options, lambda id: METRICS[id].name[lang], say("export.metric", lang))
    before = why.month_picker(here)
order = cut.order_picker(here, metric)
path = cut.path_of(here, order)
view = charts.picker(here, "view", cut.VIEWS, lambda id: say(f"explorer.view_{id}", lang), say("figure.show_as", lang))
cut.breadcrumb(here, path)
cut.level(here, metric, order, path, before, view)
