"""Why a metric changed: the bridge between two month ends by parts, exact, without a residual.

Part i, months 0 → 1, share w of the denominator, value r, whole R = Σ w·r:

    rate effect = (r1 − r0)·(w1 + w0)/2
    mix effect  = (w1 − w0)·[(r1 + r0)/2 − (R1 + R0)/2]

Their sum over the parts is R1 − R0. A part that is new or gone takes the other month's r, so that
all of it is mix. A part with a numerator but no denominator in a month has no r: all of it counts
as rate. A metric without a denominator (balance, customers) has one effect per part, its own
change. By a second dimension the same is done with the cells, so that the effects of a part's cells
add up to the two effects of that part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analytics.metrics.definitions import Metric, metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import check, check_dated, compile_question
from analytics.metrics.question import Question
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

NEW = "new"
GONE = "gone"
NO_DENOMINATOR = "no_denominator"
_FIGURES = ["numerator", "denominator", "value", "n"]


@dataclass(frozen=True)
class Bridge:
    """The change of a metric by parts; rates are shares of one, money is CNY.

    Attributes
    ----------
    question
        Of the later month; its `by` are one or two dimensions.
    whole
        Without dimensions: value_before, value, numerator, denominator, n and their `_before`.
    parts
        By code of the first dimension, largest effect first: numerator, denominator, value, n and
        `_before` of each, share_before, share (of the denominator), change, rate_effect,
        mix_effect, effect, state (new | gone | no_denominator | "").
    cells
        The same by pair of codes; None where there is one dimension.
    """

    question: Question
    before: date
    whole: pd.Series
    parts: pd.DataFrame
    cells: pd.DataFrame | None = None

    @property
    def change(self) -> float:
        return float(self.whole["value"] - self.whole["value_before"])

    @property
    def residual(self) -> float:
        """What the effects of the parts leave unexplained: rounding only."""
        return math.fsum([self.change, *(-self.parts["effect"])])

    @property
    def rate(self) -> float | None:
        """The sum of the rate effects; None for a metric without a denominator."""
        return _sum_effects(self.parts["rate_effect"])

    @property
    def mix(self) -> float | None:
        """The sum of the mix effects; None for a metric without a denominator."""
        return _sum_effects(self.parts["mix_effect"])


def _sum_effects(effects: pd.Series) -> float | None:
    return None if effects.isna().all() else math.fsum(effects)


def bridge(warehouse: Warehouse, question: Question, before: date) -> Bridge:
    """Explain the change from `before` to `question.as_of` by one or two dimensions.

    Raises
    ------
    UserError
        When either month cannot be asked, when the parts of the metric do not add up to the whole,
        and when a denominator is 0.
    """
    with warehouse.session() as reader:
        return bridge_in(reader, question, before)


def bridge_in(reader: EditionReader, question: Question, before: date) -> Bridge:
    """Return `bridge` in an open session."""
    metric = metric_named(question.metric)
    validate_periods(reader, question, before)
    if not 1 <= len(question.by) <= 2:
        raise UserError("bridge_needs_dimensions", count_by=len(question.by))
    if not metric.is_additive:
        raise UserError("parts_exceed_whole", metric=metric.name)
    single = question.with_changes(last=1, compare=None)
    whole = compare_periods(reader, single.with_changes(by=()), before).iloc[0]
    if metric.denominator_sql and not (whole["denominator"] and whole["denominator_before"]):
        empty = question.as_of if not whole["denominator"] else before
        raise UserError("no_denominator", metric=metric.name, empty=empty)
    by_first = compare_periods(reader, single.with_changes(by=question.by[:1]), before)
    parts = _with_effects(by_first, whole, metric)
    if len(question.by) == 1:
        return Bridge(question, before, whole, parts)
    cells = _with_effects(compare_periods(reader, single, before), whole, metric)
    return Bridge(question, before, whole, parts, cells)


def validate_periods(reader: EditionReader, question: Question, before: date) -> None:
    """Raise UserError unless both month ends can be asked and `before` is the earlier one."""
    if before >= question.as_of:
        raise UserError("periods_out_of_order", before=before, as_of=question.as_of)
    first = metadata(reader).months[0]
    if before < first <= question.as_of:
        raise UserError("no_comparison_month_in_edition", first=first, before=before)
    for day in (before, question.as_of):
        check(reader, question.with_changes(as_of=day, last=1, compare=None))
    check_dated(metric_named(question.metric), question)


def compare_periods(reader: EditionReader, question: Question, before: date) -> pd.DataFrame:
    """Return the answers of both months side by side, sums 0 where a part is absent in a month."""
    now, earlier = (
        reader.query(query.sql, None, **query.params)
        for query in (
            compile_question(reader, question),
            compile_question(reader, question.with_changes(as_of=before)),
        )
    )
    earlier = earlier.rename(columns={name: f"{name}_before" for name in _FIGURES})
    if question.by:
        both = now.merge(earlier, on=list(question.by), how="outer", sort=False)
    else:
        both = pd.concat([now, earlier], axis=1)
    sums = [
        column for name in ("numerator", "denominator", "n") for column in (name, f"{name}_before")
    ]
    both[sums] = both[sums].astype("float64").fillna(0.0)
    return both.astype({"n": "int64", "n_before": "int64"})


def _with_effects(parts: pd.DataFrame, whole: pd.Series, metric: Metric) -> pd.DataFrame:
    """Add shares, change, effects and state to the parts, and sort by size of the effect."""
    if metric.denominator_sql is None:
        effects = _own_changes(parts)
    else:
        effects = decompose(
            parts["numerator_before"].to_numpy(),
            parts["denominator_before"].to_numpy(),
            parts["numerator"].to_numpy(),
            parts["denominator"].to_numpy(),
            whole["denominator_before"],
            whole["denominator"],
        )
        value_before = parts["value_before"].to_numpy(dtype=float)
        effects["change"] = parts["value"].to_numpy(dtype=float) - value_before
    out = parts.assign(**effects)
    order = np.argsort(-np.abs(out["effect"].to_numpy()), kind="stable")
    return out.iloc[order].reset_index(drop=True)


def _own_changes(parts: pd.DataFrame) -> dict[str, np.ndarray]:
    """The effects of a metric without a denominator: the change of each part, to the fen."""
    before = parts["numerator_before"].to_numpy()
    now = parts["numerator"].to_numpy()
    nothing = np.full(len(parts), np.nan)
    change = np.round(now - before, 2)
    is_new = parts["n_before"].eq(0) & (before == 0)
    is_gone = parts["n"].eq(0) & (now == 0)
    return {
        "share_before": nothing,
        "share": nothing,
        "rate_effect": nothing,
        "mix_effect": nothing,
        "effect": change,
        "state": np.select([is_new, is_gone], [NEW, GONE], ""),
        "change": change,
    }


def decompose(
    numerator_before: ArrayLike,
    denominator_before: ArrayLike,
    numerator: ArrayLike,
    denominator: ArrayLike,
    whole_before: float | None = None,
    whole: float | None = None,
) -> dict[str, np.ndarray]:
    """Split the change of a ratio into the rate and mix effects of its parts.

    Parameters
    ----------
    numerator_before, denominator_before, numerator, denominator
        One value per part.
    whole_before, whole
        Denominators of the whole; by default the sums of the parts.

    Returns
    -------
    share_before, share, rate_effect, mix_effect, effect, state; one value per part.
    """
    n0 = np.asarray(numerator_before, dtype=float)
    d0 = np.asarray(denominator_before, dtype=float)
    n1 = np.asarray(numerator, dtype=float)
    d1 = np.asarray(denominator, dtype=float)
    whole0 = math.fsum(d0) if whole_before is None else float(whole_before)
    whole1 = math.fsum(d1) if whole is None else float(whole)
    w0 = d0 / whole0
    w1 = d1 / whole1
    middle = (math.fsum(n0) / whole0 + math.fsum(n1) / whole1) / 2
    is_new = (d0 == 0) & (n0 == 0)
    is_gone = (d1 == 0) & (n1 == 0)
    is_empty = is_new & is_gone
    has_no_ratio = ((d0 == 0) & (n0 != 0)) | ((d1 == 0) & (n1 != 0))
    r0 = _ratio(n0, d0)
    r1 = _ratio(n1, d1)
    r0 = np.where(is_new, r1, r0)
    r1 = np.where(is_gone, r0, r1)
    rate = (r1 - r0) * (w1 + w0) / 2
    mix = (w1 - w0) * ((r1 + r0) / 2 - middle)
    # A part's contribution to the change without its ratio, which it lacks without a denominator.
    total = n1 / whole1 - n0 / whole0 - (w1 - w0) * middle
    rate = np.select([is_empty, has_no_ratio], [0.0, total], rate)
    mix = np.where(is_empty | has_no_ratio, 0.0, mix)
    states = [NO_DENOMINATOR, "", NEW, GONE]
    return {
        "share_before": w0,
        "share": w1,
        "rate_effect": rate,
        "mix_effect": mix,
        "effect": rate + mix,
        "state": np.select([has_no_ratio, is_empty, is_new, is_gone], states, ""),
    }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator != 0, numerator / denominator, np.nan)


def cells_of(bridge: Bridge, code: str) -> pd.DataFrame:
    """Return the cells of one part. Raises UserError when the bridge has one dimension."""
    if bridge.cells is None:
        raise UserError("bridge_has_one_level")
    first = bridge.question.by[0]
    return bridge.cells[bridge.cells[first] == code].reset_index(drop=True)
