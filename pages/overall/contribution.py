"""贡献: gross and net contribution over twelve months, the bridge between them, by tier."""

from analytics.i18n.text import say
from pages.parts.sections.about import assumptions
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, headlines, kpi_tiles, metric_table
from pages.parts.widgets.text import section_title

selection = current_selection()
lang = selection.lang
least = headlines.extreme(selection, "contribution_net", "class", highest=False)
boards.headline(
    [*headlines.levels(selection, ("contribution_gross", "contribution_net")), least], lang
)
boards.waterfall(selection)
boards.gross_and_net(selection)
section_title(say("contribution.board", lang))
metric_table.board(
    selection,
    ("contribution_gross", "contribution_net", "contribution_net_per_customer"),
    parts={
        "contribution_gross": ("value", "share", "change"),
        "contribution_net": ("value", "change", "trend"),
        "contribution_net_per_customer": ("value", "change", "n"),
    },
)
boards.by_dimension(selection, "contribution_net")
boards.trend(selection, "contribution_net")
kpi_tiles.show(
    selection, ("contribution_net_per_customer", "products_per_customer", "deposit_penetration")
)
assumptions.show(selection)
