"""贡献: gross and net over twelve months side by side, the way from one to the other, tiers, assumptions."""

from analytics.text import say
from pages.parts import assumed, boards, choice, tables, tiles, words

here = choice.now()
lang = here.lang
least = words.extreme(here, "contribution_net", "class", highest=False)
boards.lead([*words.levels(here, ("contribution_gross", "contribution_net")), least], lang)
boards.waterfall(here)
boards.gross_and_net(here)
boards.heading(say("contribution.board", lang))
tables.board(
    here, ("contribution_gross", "contribution_net", "contribution_net_per_customer"),
    parts={
        "contribution_gross": ("value", "share", "change"),
        "contribution_net": ("value", "change", "trend"),
        "contribution_net_per_customer": ("value", "change", "n"),
    },
)  # fmt: skip
boards.by_split(here, "contribution_net")
boards.trend(here, "contribution_net")
tiles.show(here, ("contribution_net_per_customer", "products_per_customer", "deposit_penetration"))
assumed.show(here)
