"""What is done before the first reader comes: imports, the bundles of a first page, the questions of the overview."""

from __future__ import annotations

from analytics import figures
from data.engine import Refused
from pages.parts import bank, choice, tables, tiles

TILES = ("customers", "overdue_rate_30", "npl_ratio", "reloan_rate_90", "contribution_net", "new_customers")
BOARD = ("overdue_rate_30", "reloan_rate_90", "contribution_net")


def up() -> None:
    """Warm the caches for the view that somebody who asks for nothing will get. A bank without edition stays cold."""
    figures.warm()
    try:
        here = choice.default(bank.offer())
        for metric in TILES:
            tiles.answers(here, metric)
        tables.answers(here, BOARD)
        for metric in TILES:
            bank.whole(bank.about(here, metric, last=36), here.lang)
        bank.checks(here.as_of)
    except (Refused, bank.Moved):
        return
