"""变化归因: why a figure changed between two month ends, whether that is noise, and the overdue stock in money."""

import streamlit as st

from analytics.declared import METRICS
from analytics.text import say
from pages.parts import bank, boards, charts, choice, moved, why

here = choice.now()
lang = here.lang
boards.begin()
METRIC = (
    "overdue_rate_30", "overdue_rate", "overdue_rate_90", "overdue_rate_30_customers", "npl_ratio", "reloan_rate_90",
    "lost_rate", "contribution_net_per_customer", "contribution_net", "balance", "customers",
)  # fmt: skip
with st.container(horizontal=True, gap="small"):
    metric = charts.chooser(here, "metric", METRIC, lambda id: METRICS[id].name[lang], say("export.metric", lang))
    before = why.month_picker(here)
splits = why.splits_of(here, metric)
by = charts.picker(here, "by", splits, lambda id: bank.name_of_split(id, lang), say("words.split_by", lang))
others = ["none", *(split for split in splits if split != by)]
then = charts.picker(
    here, "then", others, lambda id: say("changes.no_second", lang) if id == "none" else
    say("changes.then", lang, split=bank.name_of_split(id, lang)), say("changes.second", lang),
)  # fmt: skip
question = why.asked_of(here, metric, (by,) if then == "none" else (by, then))
why.verdicts(here, question.about(by=(by,)), before, lead=True)
why.bridge(here, question, before)
days = charts.picker(
    here, "days", ("30", "0", "60", "90"), lambda code: say(f"overdue.days_{code}", lang), say("overdue.days", lang)
)
asked = why.flows(here, question, before, int(days))
moved.show(here, asked)
