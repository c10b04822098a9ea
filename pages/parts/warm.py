"""What is done before the first reader comes: imports, the bundles of a first page, the questions of the overview."""

from __future__ import annotations

import gc
import inspect

# Read at the first table and at the first button otherwise, 0.15 s each.
import pandas.io.formats.style  # noqa: F401
import streamlit.emojis  # noqa: F401

from analytics import figures
from data.engine import Refused
from pages.parts import alerts, bank, boards, choice, tables, tiles, why

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
    # At the first element Streamlit asks whether it runs in a notebook, and finds where each module lies: 0.3 s, once.
    inspect.stack()
    try:
        here = choice.default(bank.offer())
        for metric in TILES:
            bank.composed(tiles.answers, here, metric, SECONDS.get(metric, ""))
        bank.composed(tables.answers, here, (SIZE, *BOARD), "class", True)
        before = why.against(here)
        for metric in BOARD:
            question = why.asked_of(here, metric, ("class",))
            bank.analysed("change.bridge", question, before)
            if metric == BOARD[0]:
                bank.analysed("noise.noise", question, before)
            bank.ask(bank.about(here, metric, (alerts.below(here),), compare=False))
        for split in boards.BY:
            bank.held(split)
        bank.analysed("targets.missed", bank.about(here, SIZE, compare=False), alerts.below(here))
        for metric in TILES:
            bank.whole(bank.about(here, metric, last=36), here.lang)
        bank.absent()
        bank.checks(here.as_of)
    except (Refused, bank.Moved):
        return
    finally:
        # A million objects of modules that are never thrown away: looking through them for garbage takes 0.1 s, in
        # which no reader is answered.
        gc.collect()
        gc.freeze()
