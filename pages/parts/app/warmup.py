"""Queries of the first page, run before the first reader comes."""

from __future__ import annotations

from analytics.analysis import attribution, significance
from analytics.metrics import targets
from data.errors import UserError
from pages.parts.sections.change import controls
from pages.parts.sections.overview import (
    BOARD_METRICS,
    KPI_METRICS,
    SECONDARY_METRICS,
    SIZE_METRIC,
)
from pages.parts.state import queries, reports
from pages.parts.state.selection import Selection, default_selection
from pages.parts.widgets import boards, kpi_tiles, metric_table


def warm_caches() -> None:
    """Run the queries of the default view; do nothing when no edition is published."""
    try:
        selection = default_selection(queries.selection_options())
        _overview(selection)
        _other_pages(selection)
    except (UserError, queries.EditionChanged):
        return


def _overview(selection: Selection) -> None:
    for metric in KPI_METRICS:
        second = SECONDARY_METRICS.get(metric, "")
        queries.cached_view(kpi_tiles.answers, selection, metric, second)
    board = (SIZE_METRIC, *BOARD_METRICS)
    queries.cached_view(metric_table.answers, selection, board, "class", True)
    before = controls.comparison_month(selection)
    level = selection.branch_dimension
    for metric in BOARD_METRICS:
        question = controls.question_of(selection, metric, ("class",))
        queries.cached_analysis(attribution.bridge, question, before)
        if metric == BOARD_METRICS[0]:
            queries.cached_analysis(significance.assess_change, question, before)
        queries.ask(queries.question_for(selection, metric, (level,), compare=False))
    size = queries.question_for(selection, SIZE_METRIC, compare=False)
    queries.cached_analysis(targets.breaches, size, level)


def _other_pages(selection: Selection) -> None:
    for dimension in boards.BOARD_DIMENSIONS:
        queries.has_variation(dimension)
    for metric in KPI_METRICS:
        queries.total_row(queries.question_for(selection, metric, last=36), selection.lang)
    queries.empty_tables()
    reports.checks(selection.as_of)
