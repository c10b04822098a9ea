"""One level of the explorer: the parts of a cell by the next dimension, and the way down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from analytics.analysis import attribution
from analytics.i18n import text
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, Metric
from analytics.metrics.question import Question
from data.errors import UserError
from pages.parts.sections.explorer import controls
from pages.parts.sections.explorer.controls import PathStep
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import drilldown
from pages.parts.widgets.text import mark_small_group


@dataclass(frozen=True)
class Level:
    """Where the reader is: a metric, the order of its dimensions, and the path gone so far.

    Below the last dimension the level is that of the last dimension.
    """

    selection: Selection
    metric: str
    order: Sequence[str]
    path: Sequence[PathStep]

    @property
    def _depth(self) -> int:
        return min(len(self.path), len(self.order) - 1)

    @property
    def within(self) -> Sequence[PathStep]:
        """The path to the cell that this level divides."""
        return self.path[: self._depth]

    @property
    def dimension(self) -> str:
        """The dimension that divides the cell."""
        return self.order[self._depth]

    @property
    def next_dimension(self) -> str | None:
        """The dimension of the level below, if there is one."""
        return None if self.is_last else self.order[self._depth + 1]

    @property
    def is_last(self) -> bool:
        return self._depth + 1 == len(self.order)

    @property
    def definition(self) -> Metric:
        return METRICS[self.metric]

    @property
    def lang(self) -> str:
        return self.selection.lang

    def names(self) -> Mapping[str, str]:
        """Return code → words of the dimension, in printing order."""
        return queries.labels(self.dimension, self.lang, self.selection.scheme)

    def question(self, *by: str) -> Question:
        """Return the question about the metric by these dimensions, within the cell."""
        question = queries.question_for(self.selection, self.metric, by, compare=False)
        cell = ((dimension, (code,)) for dimension, code in self.within)
        return question.with_changes(where=(*question.where, *cell))

    def open_part(self, cell: Mapping[str, str]) -> None:
        """Go down to a part; on the last level open its list. For callbacks."""
        path = [*self.within, (self.dimension, cell[self.dimension])]
        if len(path) < len(self.order):
            controls.go(path)
        else:
            drilldown.open_cell(self.metric, dict(path))

    def open_whole(self) -> None:
        """Open the list of the cell that this level divides. For callbacks."""
        drilldown.open_cell(self.metric, dict(self.within))


@dataclass(frozen=True)
class Parts:
    """The answer by part and for the whole cell.

    Where the two months can be compared, also value_before, change and effect; else `reason` says
    why not.
    """

    frame: pd.DataFrame
    whole: pd.Series
    reason: str = ""

    @property
    def is_compared(self) -> bool:
        return not self.reason

    def largest_effect(self) -> pd.Series | None:
        """Return the part that changed the metric most, of those that are large enough."""
        large = self.frame[self.frame["n"] >= MIN_GROUP_SIZE]
        if not self.is_compared or large.empty:
            return None
        return large.loc[large["effect"].abs().idxmax()]


def read_parts(question: Question, before: date, lang: str) -> Parts:
    """Answer the question, compared with the month end `before` where that is possible."""
    try:
        bridge = queries.cached_analysis(attribution.bridge, question, before)
    except UserError as refusal:
        whole = queries.ask(question.with_changes(by=())).iloc[0]
        return Parts(queries.ask(question), whole, refusal.text(lang))
    whole = bridge.whole.copy()
    whole["change"] = bridge.change
    whole["effect"] = float(bridge.parts["effect"].sum())
    whole["rate_effect"] = bridge.rate
    whole["mix_effect"] = bridge.mix
    return Parts(bridge.parts, whole)


def row_value(row: Mapping[Any, Any], metric: Metric, lang: str) -> str:
    """Return the value of an answer's row in words, marked where the group is small."""
    return mark_small_group(text.number(row["value"], metric.unit, lang), row["n"], lang)
