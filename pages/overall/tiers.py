"""客户分层: how many customers and how much balance each tier holds, what became of them, and who moved."""

from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from pages.parts.sections import tiers as sections_tiers
from pages.parts.state import queries, selection
from pages.parts.widgets import boards, chart, drilldown, headlines, metric_table

here = selection.now()
lang = here.lang
boards.lead(
    [*headlines.levels(here, ("customers", "balance")), headlines.largest_share(here, "balance", "class")], lang
)

metric = chart.picker(here, "metric", drilldown.OUTCOMES, lambda id: METRICS[id].name[lang], say("tiers.outcome", lang))
sizes = ("value", "share", "change")
metric_table.board(
    here, ("customers", "balance", metric),
    parts={"customers": sizes, "balance": sizes, metric: ("value", "change", "trend", "n")},
)  # fmt: skip
boards.note(say("tiers.today" if here.opening == 0 else "tiers.opening", lang, months=here.opening))
boards.months_by_class(here, metric)

tiers = queries.labels("class", lang, here.scheme)
held = boards.codes(here, "balance", "class")
tier = chart.picker(
    here, "tier", ["all", *held], lambda code: tiers.get(code, say("tiers.all", lang)), say("table.class", lang)
)
boards.by_split(here, metric, within={} if tier == "all" else {"class": tier})

sections_tiers.held(here)
sections_tiers.moved(here)
sections_tiers.cross(here)
