"""逾期: how much of the book is late, since when, in which tier, branch, product or channel, and how deep."""

import streamlit as st

from analytics.i18n.text import say
from pages.parts.state import selection
from pages.parts.widgets import boards, chart, headlines, kpi_tiles

here = selection.now()
lang = here.lang
days = chart.picker(
    here,
    "days",
    ("0", "30", "60", "90"),
    lambda code: say(f"overdue.days_{code}", lang),
    say("overdue.days", lang),
    "30",
)
counted = chart.picker(
    here, "by", ("balance", "customers", "loans", "written_off"), lambda code: say(f"overdue.by_{code}", lang),
    say("overdue.by", lang),
)  # fmt: skip
if counted == "written_off" and days != "30":
    boards.note(say("overdue.written_off_30", lang))
metric = {
    "balance": "overdue_rate" + ("" if days == "0" else f"_{days}"),
    "written_off": "overdue_rate_30_with_written_off",
}.get(counted, "overdue_rate" + ("" if days == "0" else f"_{days}") + f"_{counted}")

boards.lead(headlines.levels(here, (metric, "npl_ratio", "first_payment_default")), lang)
boards.trend(here, metric)
tier, depth = st.columns(2, gap="medium")
with tier:
    boards.by_class(here, metric)
with depth:
    boards.buckets(here, {"customers": "customers", "loans": "loans"}.get(counted, "balance"))
boards.months_by_class(here, metric)
boards.by_split(here, metric)
kpi_tiles.show(here, ("npl_ratio", "recognition_deviation", "coverage"))
