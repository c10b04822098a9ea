"""What is done before the first reader comes: imports, the bundles of a first page, the questions of the overview."""

from __future__ import annotations

import gc
import inspect

# Read at the first table and at the first button otherwise, 0.15 s each.
import pandas.io.formats.style  # noqa: F401
import streamlit.emojis  # noqa: F401

from analytics.analysis import attribution, significance
from analytics.metrics import targets
from analytics.presentation import metric_charts
from data.errors import Refused
from pages.parts.sections import alerts, change
from pages.parts.sections.overview import BOARD_METRICS, KPI_METRICS, SECONDARY_METRICS, SIZE_METRIC
from pages.parts.state import queries, selection
from pages.parts.widgets import boards, kpi_tiles, metric_table


def up() -> None:
    """Warm the caches for the view that somebody who asks for nothing will get. A bank without edition stays cold."""
    metric_charts.warm()
    # At the first element Streamlit asks whether it runs in a notebook, and finds where each module lies: 0.3 s, once.
    inspect.stack()
    try:
        here = selection.default(queries.offer())
        for metric in KPI_METRICS:
            queries.composed(kpi_tiles.answers, here, metric, SECONDARY_METRICS.get(metric, ""))
        queries.composed(metric_table.answers, here, (SIZE_METRIC, *BOARD_METRICS), "class", True)
        before = change.against(here)
        for metric in BOARD_METRICS:
            question = change.asked_of(here, metric, ("class",))
            queries.analysed(attribution.bridge, question, before)
            if metric == BOARD_METRICS[0]:
                queries.analysed(significance.noise, question, before)
            queries.ask(queries.about(here, metric, (alerts.below(here),), compare=False))
        for split in boards.BY:
            queries.held(split)
        queries.analysed(targets.missed, queries.about(here, SIZE_METRIC, compare=False), alerts.below(here))
        for metric in KPI_METRICS:
            queries.whole(queries.about(here, metric, last=36), here.lang)
        queries.absent()
        queries.checks(here.as_of)
    except (Refused, queries.Moved):
        return
    finally:
        # A million objects of modules that are never thrown away: looking through them for garbage takes 0.1 s, in
        # which no reader is answered.
        gc.collect()
        gc.freeze()
