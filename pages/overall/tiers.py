"""客户分层: how many customers and how much balance each tier holds, what became of them, and who moved."""

from analytics.declared import METRICS
from analytics.text import say
from pages.parts import bank, boards, charts, choice, drill, tables, tier_moves, words

here = choice.now()
lang = here.lang
boards.lead([*words.levels(here, ("customers", "balance")), words.largest_share(here, "balance", "class")], lang)

metric = charts.picker(
    here, "metric", drill.OUTCOMES, lambda id: METRICS[id].name[lang], say("tiers.outcome", lang)
)
sizes = ("value", "share", "change")
tables.board(
    here, ("customers", "balance", metric),
    parts={"customers": sizes, "balance": sizes, metric: ("value", "change", "trend", "n")},
)  # fmt: skip
boards.note(say("tiers.today" if here.opening == 0 else "tiers.opening", lang, months=here.opening))
boards.months_by_class(here, metric)

tiers = bank.labels("class", lang, here.scheme)
held = boards.codes(here, "balance", "class")
tier = charts.picker(
    here, "tier", ["all", *held], lambda code: tiers.get(code, say("tiers.all", lang)), say("table.class", lang)
)
boards.by_split(here, metric, within={} if tier == "all" else {"class": tier})

tier_moves.held(here)
tier_moves.moved(here)
tier_moves.cross(here)
