"""贡献: gross and net over twelve months side by side, the way from one to the other, tiers, assumptions."""

from analytics.i18n.text import say
from pages.parts.sections import assumptions
from pages.parts.state import selection
from pages.parts.widgets import boards, headlines, kpi_tiles, metric_table

here = selection.now()
lang = here.lang
least = headlines.extreme(here, "contribution_net", "class", highest=False)
boards.lead([*headlines.levels(here, ("contribution_gross", "contribution_net")), least], lang)
boards.waterfall(here)
boards.gross_and_net(here)
boards.heading(say("contribution.board", lang))
metric_table.board(
    here, ("contribution_gross", "contribution_net", "contribution_net_per_customer"),
    parts={
        "contribution_gross": ("value", "share", "change"),
        "contribution_net": ("value", "change", "trend"),
        "contribution_net_per_customer": ("value", "change", "n"),
    },
)  # fmt: skip
boards.by_split(here, "contribution_net")
boards.trend(here, "contribution_net")
kpi_tiles.show(here, ("contribution_net_per_customer", "products_per_customer", "deposit_penetration"))
assumptions.show(here)
