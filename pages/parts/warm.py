"""What is done before the first reader comes: imports, the bundles of a first page, the questions of the overview."""

from __future__ import annotations

from analytics import figures
from data.engine import Refused
from pages.parts import alerts, bank, choice, tables, tiles

TILES = ("customers", "overdue_rate_30", "npl_ratio", "reloan_rate_90", "contribution_net", "net_upgraded")
SECONDS = {
    "customers": "balance", "overdue_rate_30": "overdue_rate", "npl_ratio": "recognition_deviation",
    "reloan_rate_90": "lost_rate", "contribution_net": "contribution_gross", "net_upgraded": "new_customers",
}  # fmt: skip
SIZE = "customers"
BOARD = ("overdue_rate_30", "reloan_rate_90", "contribution_net")


def up() -> None:
    """Warm the caches for the view that somebody who asks for nothing will get. A bank without edition stays cold."""
    figures.warm()
    try:
        here = choice.default(bank.offer())
        for metric in TILES:
            tiles.answers(here, metric, SECONDS.get(metric, ""))
        tables.answers(here, (SIZE, *BOARD))
        bank.analysed("targets.missed", bank.about(here, SIZE, compare=False), alerts.below(here))
        for metric in TILES:
            bank.whole(bank.about(here, metric, last=36), here.lang)
        bank.checks(here.as_of)
    except (Refused, bank.Moved):
        return
