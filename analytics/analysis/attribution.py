"""Why a figure changed: the bridge between two month ends by the parts of a split, exact, without a residual.

Part i, months 0 → 1, share w of the denominator, value r, whole R = Σ w·r:

    rate effect = (r1 − r0)·(w1 + w0)/2        mix effect = (w1 − w0)·[(r1 + r0)/2 − (R1 + R0)/2]

Their sum over the parts is R1 − R0. A part that is new or gone takes the other month's r, so that all of it is mix. A
part with a numerator but no denominator in a month has no r: all of it counts as rate. A figure without a denominator
(balance, customers) has one effect per part, its own change. At the second level the same is done with the cells, so
that the effects of the cells of a part add up to the two effects of that part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from analytics.metrics.definitions import metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import Question, check, plan_of
from data.errors import UserError

NEW, GONE, BARE = "new", "gone", "no_denominator"
_HALVES = ["numerator", "denominator", "value", "n"]


@dataclass(frozen=True)
class Bridge:
    """`question` is the later month's, its `by` the levels. Rates are shares of one, money CNY.

    whole   value_before, value, numerator, denominator, n and their `_before`: one row without a split
    parts   per code of the first split, largest effect first: numerator, denominator, value, n and `_before` of each,
            share_before, share (of the denominator), change, rate_effect, mix_effect, effect,
            state (new | gone | no_denominator | "")
    cells   the same per pair of codes when there is a second split, else None
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
        """What the effects of the parts leave unexplained: nothing but rounding."""
        return math.fsum([self.change, *(-self.parts["effect"])])

    @property
    def rate(self) -> float | None:
        """The sum of the rate effects; None for a figure without a denominator."""
        return _sum(self.parts["rate_effect"])

    @property
    def mix(self) -> float | None:
        return _sum(self.parts["mix_effect"])


def _sum(effects: pd.Series) -> float | None:
    return None if effects.isna().all() else math.fsum(effects)


def bridge(bank, question: Question, before: date) -> Bridge:
    """Explain the change from `before` to `question.as_of` by `question.by`, one split or two.

    Raises UserError where either month cannot be asked, where the parts do not add up to the whole, and where there is
    nothing to divide by.
    """
    with bank.session() as view:
        return bridge_of(view, question, before)


def bridge_of(view, question: Question, before: date) -> Bridge:
    metric = metric_named(question.metric)
    validate_periods(view, question, before)
    if not 1 <= len(question.by) <= 2:
        raise UserError("bridge_needs_dimensions", count_by=len(question.by))
    if not metric.is_additive:
        raise UserError("parts_exceed_whole", metric=metric.name)
    asked = question.about(last=1, compare=None)
    whole = compare_periods(view, asked.about(by=()), before).iloc[0]
    if metric.denominator_sql and not (whole["denominator"] and whole["denominator_before"]):
        empty = question.as_of if not whole["denominator"] else before
        raise UserError("no_denominator", metric=metric.name, empty=empty)
    parts = _explained(
        compare_periods(view, asked.about(by=question.by[:1]), before), whole, metric
    )
    cells = (
        _explained(compare_periods(view, asked, before), whole, metric)
        if len(question.by) == 2
        else None
    )
    return Bridge(question, before, whole, parts, cells)


def validate_periods(view, question: Question, before: date) -> None:
    """Raises UserError unless the question can be asked of both month ends and `before` is the earlier one."""
    if before >= question.as_of:
        raise UserError("periods_out_of_order", before=before, as_of=question.as_of)
    first = metadata(view).months[0]
    if before < first <= question.as_of:
        raise UserError("no_comparison_month_in_edition", first=first, before=before)
    for day in (before, question.as_of):
        check(view, question.about(as_of=day, last=1, compare=None))


def compare_periods(view, question: Question, before: date) -> pd.DataFrame:
    """The answers of both months side by side; a part that is absent in a month has zero sums there."""
    now, then = (
        view.query(plan.sql, None, **plan.params)
        for plan in (plan_of(view, question), plan_of(view, question.about(as_of=before)))
    )
    then = then.rename(columns={name: f"{name}_before" for name in _HALVES})
    keys = list(question.by)
    both = (
        now.merge(then, on=keys, how="outer", sort=False)
        if keys
        else pd.concat([now, then], axis=1)
    )
    sums = [name for half in ("numerator", "denominator", "n") for name in (half, f"{half}_before")]
    both[sums] = both[sums].astype("float64").fillna(0.0)
    return both.astype({"n": "int64", "n_before": "int64"})


def _explained(parts: pd.DataFrame, whole: pd.Series, metric) -> pd.DataFrame:
    n0, n1 = parts["numerator_before"].to_numpy(), parts["numerator"].to_numpy()
    if metric.denominator_sql is None:
        nothing = np.full(len(parts), np.nan)
        told = {
            "share_before": nothing,
            "share": nothing,
            "rate_effect": nothing,
            "mix_effect": nothing,
        }
        told["effect"] = np.round(n1 - n0, 2)
        told["state"] = np.where(
            parts["n_before"].eq(0) & (n0 == 0),
            NEW,
            np.where(parts["n"].eq(0) & (n1 == 0), GONE, ""),
        )
        told["change"] = told["effect"]
    else:
        d0, d1 = parts["denominator_before"].to_numpy(), parts["denominator"].to_numpy()
        told = decompose(n0, d0, n1, d1, whole["denominator_before"], whole["denominator"])
        told["change"] = parts["value"].to_numpy(dtype=float) - parts["value_before"].to_numpy(
            dtype=float
        )
    out = parts.assign(**told)
    order = np.argsort(-np.abs(out["effect"].to_numpy()), kind="stable")
    return out.iloc[order].reset_index(drop=True)


def decompose(
    n0: np.ndarray, d0: np.ndarray, n1: np.ndarray, d1: np.ndarray,
    whole0: float | None = None, whole1: float | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Numerators and denominators of the parts in both months → share_before, share, rate_effect, mix_effect, effect,
    state. `whole0`, `whole1`: the denominators of the whole, the sums of the parts unless told."""
    n0, d0, n1, d1 = (np.asarray(half, dtype=float) for half in (n0, d0, n1, d1))
    whole0 = math.fsum(d0) if whole0 is None else float(whole0)
    whole1 = math.fsum(d1) if whole1 is None else float(whole1)
    w0, w1 = d0 / whole0, d1 / whole1
    middle = (math.fsum(n0) / whole0 + math.fsum(n1) / whole1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        r0, r1 = np.where(d0 != 0, n0 / d0, np.nan), np.where(d1 != 0, n1 / d1, np.nan)
    new, gone = (d0 == 0) & (n0 == 0), (d1 == 0) & (n1 == 0)
    bare = ((d0 == 0) & (n0 != 0)) | ((d1 == 0) & (n1 != 0))
    r0, r1 = np.where(new, r1, r0), np.where(gone, r0, r1)
    rate = (r1 - r0) * (w1 + w0) / 2
    mix = (w1 - w0) * ((r1 + r0) / 2 - middle)
    # What a part adds to the change whichever way it is told apart; the only thing known without a denominator.
    total = n1 / whole1 - n0 / whole0 - (w1 - w0) * middle
    empty = new & gone
    rate = np.where(empty, 0.0, np.where(bare, total, rate))
    mix = np.where(empty | bare, 0.0, mix)
    state = np.where(bare, BARE, np.where(empty, "", np.where(new, NEW, np.where(gone, GONE, ""))))
    return {
        "share_before": w0, "share": w1, "rate_effect": rate, "mix_effect": mix, "effect": rate + mix, "state": state,
    }  # fmt: skip


def cells_of(found: Bridge, code: str) -> pd.DataFrame:
    """The second level within one part of the first. Raises UserError when the bridge has one level."""
    if found.cells is None:
        raise UserError("bridge_has_one_level")
    first = found.question.by[0]
    return found.cells[found.cells[first] == code].reset_index(drop=True)
