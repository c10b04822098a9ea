"""变化归因: why a metric changed between two month ends, significance, and the money bridge."""

import streamlit as st

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections.change import controls, effects, money_bridge, significance_chips
from pages.parts.state import queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, move_drilldown

selection = current_selection()
lang = selection.lang
boards.begin_page()
METRIC_IDS = (
    "overdue_rate_30",
    "overdue_rate",
    "overdue_rate_90",
    "overdue_rate_30_customers",
    "npl_ratio",
    "reloan_rate_90",
    "lost_rate",
    "contribution_net_per_customer",
    "contribution_net",
    "balance",
    "customers",
)
with st.container(horizontal=True, gap="small"):
    metric = chart.chooser(
        selection,
        "metric",
        METRIC_IDS,
        lambda id: METRICS[id].name[lang],
        say("export.metric", lang),
    )
    before = controls.month_picker(selection)
dimensions = controls.dimensions_of(selection, metric)
by = chart.picker(
    selection,
    "by",
    dimensions,
    lambda id: queries.dimension_name(id, lang),
    say("words.split_by", lang),
)
others = ["none", *(dimension for dimension in dimensions if dimension != by)]
second = chart.picker(
    selection,
    "then",
    others,
    lambda id: (
        say("changes.no_second", lang)
        if id == "none"
        else say("changes.then", lang, split=queries.dimension_name(id, lang))
    ),
    say("changes.second", lang),
)
question = controls.question_of(selection, metric, (by,) if second == "none" else (by, second))
significance_chips.show(selection, question.with_changes(by=(by,)), before, with_sentence=True)
effects.show(selection, question, before)
days = chart.picker(
    selection,
    "days",
    ("30", "0", "60", "90"),
    lambda code: say(f"overdue.days_{code}", lang),
    say("overdue.days", lang),
)
flow_query = money_bridge.show(selection, question, before, int(days))
move_drilldown.show(selection, flow_query)
