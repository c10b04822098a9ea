"""客户分层: customers and balance by tier, their outcomes, and who moved."""

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections import tiers
from pages.parts.state import queries
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, drilldown, headlines, metric_table
from pages.parts.widgets.text import caption

selection = current_selection()
lang = selection.lang
boards.headline(
    [
        *headlines.levels(selection, ("customers", "balance")),
        headlines.largest_share(selection, "balance", "class"),
    ],
    lang,
)

metric = chart.picker(
    selection,
    "metric",
    drilldown.OUTCOMES,
    lambda id: METRICS[id].name[lang],
    say("tiers.outcome", lang),
)
sizes = ("value", "share", "change")
metric_table.board(
    selection,
    ("customers", "balance", metric),
    parts={"customers": sizes, "balance": sizes, metric: ("value", "change", "trend", "n")},
)
caption(
    say(
        "tiers.today" if selection.opening == 0 else "tiers.opening", lang, months=selection.opening
    )
)
boards.months_by_class(selection, metric)

tier_names = queries.labels("class", lang, selection.scheme)
nonempty = boards.nonempty_codes(selection, "balance", "class")
tier = chart.picker(
    selection,
    "tier",
    ["all", *nonempty],
    lambda code: tier_names.get(code, say("tiers.all", lang)),
    say("table.class", lang),
)
boards.by_dimension(selection, metric, within={} if tier == "all" else {"class": tier})

tiers.shares_by_tier(selection)
tiers.movements(selection)
tiers.cross_table(selection)
