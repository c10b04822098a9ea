"""Work done before the first reader comes: imports, the first queries, the garbage collector."""

from __future__ import annotations

import gc
import inspect

# Read at the first table and at the first button otherwise, 0.15 s each.
import pandas.io.formats.style  # noqa: F401
import streamlit.emojis  # noqa: F401

from analytics.analysis import attribution, significance
from analytics.metrics import targets
from analytics.presentation import metric_charts
from data.errors import UserError
from pages.parts.sections import alerts, change
from pages.parts.sections.overview import BOARD_METRICS, KPI_METRICS, SECONDARY_METRICS, SIZE_METRIC
from pages.parts.state import queries
from pages.parts.state.selection import default_selection
from pages.parts.widgets import boards, kpi_tiles, metric_table


def warm_caches() -> None:
    """Warm the caches for the view that somebody who asks for nothing will get. A bank without edition stays cold."""
    metric_charts.warm()
    # At the first element Streamlit asks whether it runs in a notebook, and finds where each module lies: 0.3 s, once.
    inspect.stack()
    try:
        selection = default_selection(queries.selection_options())
        for metric in KPI_METRICS:
            queries.cached_view(
                kpi_tiles.answers, selection, metric, SECONDARY_METRICS.get(metric, "")
            )
        queries.cached_view(
            metric_table.answers, selection, (SIZE_METRIC, *BOARD_METRICS), "class", True
        )
        before = change.comparison_month(selection)
        for metric in BOARD_METRICS:
            question = change.asked_of(selection, metric, ("class",))
            queries.cached_analysis(attribution.bridge, question, before)
            if metric == BOARD_METRICS[0]:
                queries.cached_analysis(significance.noise, question, before)
            queries.ask(
                queries.question_for(selection, metric, (alerts.below(selection),), compare=False)
            )
        for split in boards.DIMENSIONS_OFFERED:
            queries.has_variation(split)
        queries.cached_analysis(
            targets.missed,
            queries.question_for(selection, SIZE_METRIC, compare=False),
            alerts.below(selection),
        )
        for metric in KPI_METRICS:
            queries.total_row(queries.question_for(selection, metric, last=36), selection.lang)
        queries.empty_tables()
        queries.checks(selection.as_of)
    except (UserError, queries.EditionChanged):
        return
    finally:
        # A million objects of modules that are never thrown away: looking through them for garbage takes 0.1 s, in
        # which no reader is answered.
        gc.collect()
        gc.freeze()
