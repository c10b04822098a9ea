"""The month compared with, and the dimensions that a change can be divided by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.question import COMPARISONS, Question
from data.dates import month_end
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart

BRIDGE_DIMENSIONS = (
    "class",
    "branch_1",
    "product",
    "channel",
    "guarantee",
    "age_band",
    "education",
    "employment",
    "account_type",
    "credit_grade",
    "payroll",
)


def comparison_month(selection: Selection) -> date:
    """Return the month end of the header's comparison; the month before where it has none."""
    months = COMPARISONS[selection.comparison or "mom"]
    return month_end(date.fromisoformat(selection.as_of), -months)


def month_picker(selection: Selection) -> date:
    """Draw a choice of any earlier month end; the header's comparison is the default."""
    default = comparison_month(selection).isoformat()
    months = [day for day in queries.selection_options().months if day < selection.as_of][::-1]
    if not months:
        return date.fromisoformat(default)
    first = default if default in months else months[0]
    day = chart.chooser(
        selection,
        "from",
        [first, *(day for day in months if day != first)],
        lambda day: text.month(day, selection.lang),
        say("changes.compared", selection.lang),
    )
    return date.fromisoformat(day)


def dimensions_of(selection: Selection, metric: str) -> list[str]:
    """Return the dimensions that the metric supports, the branch one level below the selected."""
    below = selection.branch_dimension
    dimensions = [
        below if dimension == "branch_1" else dimension for dimension in BRIDGE_DIMENSIONS
    ]
    return [dimension for dimension in dimensions if _is_available(selection, metric, dimension)]


def _is_available(selection: Selection, metric: str, dimension: str) -> bool:
    if dimension == "class":
        return METRICS[metric].supports(None)
    if not METRICS[metric].supports(DIMENSIONS[dimension]):
        return False
    return bool(set(queries.labels(dimension, selection.lang)) - {"unknown"})


def question_of(selection: Selection, metric: str, by: Sequence[str]) -> Question:
    """Return the question of the page without its comparison."""
    return queries.question_for(selection, metric, tuple(by), compare=False)
