"""变化归因: why a figure changed between two month ends, whether that is noise, and the overdue stock in money."""

import streamlit as st

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections import change
from pages.parts.state import queries, selection
from pages.parts.widgets import boards, chart, move_drilldown

here = selection.now()
lang = here.lang
boards.begin()
METRIC = (
    "overdue_rate_30", "overdue_rate", "overdue_rate_90", "overdue_rate_30_customers", "npl_ratio", "reloan_rate_90",
    "lost_rate", "contribution_net_per_customer", "contribution_net", "balance", "customers",
)  # fmt: skip
with st.container(horizontal=True, gap="small"):
    metric = chart.chooser(here, "metric", METRIC, lambda id: METRICS[id].name[lang], say("export.metric", lang))
    before = change.month_picker(here)
splits = change.splits_of(here, metric)
by = chart.picker(here, "by", splits, lambda id: queries.name_of_split(id, lang), say("words.split_by", lang))
others = ["none", *(split for split in splits if split != by)]
then = chart.picker(
    here, "then", others, lambda id: say("changes.no_second", lang) if id == "none" else
    say("changes.then", lang, split=queries.name_of_split(id, lang)), say("changes.second", lang),
)  # fmt: skip
question = change.asked_of(here, metric, (by,) if then == "none" else (by, then))
change.verdicts(here, question.about(by=(by,)), before, lead=True)
change.bridge(here, question, before)
days = chart.picker(
    here, "days", ("30", "0", "60", "90"), lambda code: say(f"overdue.days_{code}", lang), say("overdue.days", lang)
)
asked = change.flows(here, question, before, int(days))
move_drilldown.show(here, asked)
