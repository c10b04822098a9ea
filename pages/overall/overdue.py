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
size = chart.picker(
    selection,
    "by",
    ("balance", "customers", "loans", "written_off"),
    lambda code: say(f"overdue.by_{code}", lang),
    say("overdue.by", lang),
)
if size == "written_off" and days != "30":
    caption(say("overdue.written_off_30", lang))
metric = "overdue_rate" if days == "0" else f"overdue_rate_{days}"
if size == "written_off":
    metric = "overdue_rate_30_with_written_off"
elif size != "balance":
    metric = f"{metric}_{size}"

boards.headline(headlines.levels(selection, (metric, "npl_ratio", "first_payment_default")), lang)
boards.trend(selection, metric)
tier_column, bucket_column = st.columns(2, gap="medium")
with tier_column:
    boards.by_class(selection, metric)
with bucket_column:
    boards.buckets(selection, size if size in ("customers", "loans") else "balance")
boards.months_by_class(selection, metric)
boards.by_dimension(selection, metric)
kpi_tiles.show(selection, ("npl_ratio", "recognition_deviation", "coverage"))
