"""逾期: overdue over time, by tier, branch, product or channel, and by days past due."""

import streamlit as st

from analytics.i18n.text import say
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, headlines, kpi_tiles
from pages.parts.widgets.text import caption

selection = current_selection()
lang = selection.lang
days = chart.picker(
    selection,
    "days",
    ("0", "30", "60", "90"),
    lambda code: say(f"overdue.days_{code}", lang),
    say("overdue.days", lang),
    "30",
)
counted = chart.picker(
    selection,
    "by",
    ("balance", "customers", "loans", "written_off"),
    lambda code: say(f"overdue.by_{code}", lang),
    say("overdue.by", lang),
)
if counted == "written_off" and days != "30":
    caption(say("overdue.written_off_30", lang))
metric = {
    "balance": "overdue_rate" + ("" if days == "0" else f"_{days}"),
    "written_off": "overdue_rate_30_with_written_off",
}.get(counted, "overdue_rate" + ("" if days == "0" else f"_{days}") + f"_{counted}")

boards.headline(headlines.levels(selection, (metric, "npl_ratio", "first_payment_default")), lang)
boards.trend(selection, metric)
tier, depth = st.columns(2, gap="medium")
with tier:
    boards.by_class(selection, metric)
with depth:
    boards.buckets(selection, {"customers": "customers", "loans": "loans"}.get(counted, "balance"))
boards.months_by_class(selection, metric)
boards.by_dimension(selection, metric)
kpi_tiles.show(selection, ("npl_ratio", "recognition_deviation", "coverage"))
