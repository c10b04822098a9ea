"""Out-of-time discriminatory power of classes and segments, alone and combined (AUC, Gini, KS).

Segments and classes are those of a month end, outcomes those of the twelve months after it. The
score of a class or segment is the rate of its members in a logistic model, predicted by five-fold
cross-validation, so that no customer is scored by their own outcome. AUC is the area under the ROC
curve, Gini = 2·AUC − 1, KS the largest gap between the cumulative shares of customers with and
without the outcome (Siddiqi 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.proportion import proportion_confint

from analytics.metrics.definitions import MIN_GROUP_SIZE

FOLDS = 5
BOOTSTRAPS = 200
MIN_EVENTS = 20
"""Fewest customers with and without an outcome for which discrimination is computed."""
MIN_EVENTS_FOR_SELECTION = 100
"""Fewest customers with and without an outcome for it to count in the selection of a candidate."""
MATERIAL_GAIN = 0.01
"""Gain in AUC below which the segments add nothing, however narrow the interval."""
HIGH_CONTRIBUTION = 0.8
"""Contribution counts as high above this quantile."""
GOOD_LIFT = 2 / 3
BAD_LIFT = 1.5
"""A class or segment is good up to, and bad from, this multiple of the overdue rate of all
customers, provided that its 95 % interval excludes 1.
"""
UNGRADED = ("unrated", "no_loan", "new")
"""Class codes that no rulebook grades."""


def out_of_time_figures(
    labels: np.ndarray, outcomes: pd.DataFrame | None, seed: int
) -> dict[str, float | None]:
    """Compute how well one labelling separates later outcomes.

    Parameters
    ----------
    labels
        One segment (0, 1, …) per row of `outcomes`.
    outcomes
        See `features.outcomes_after`; None where the history is too short.

    Returns
    -------
    dict
        overdue_gini, reloan_gini and contribution_share (share of the variance of the ranks that
        lies between the segments); None where there are too few customers.
    """
    figures: dict[str, float | None] = {
        "overdue_gini": None,
        "reloan_gini": None,
        "contribution_share": None,
    }
    if outcomes is None:
        return figures
    for outcome in ("overdue", "reloan"):
        y = outcomes[outcome].to_numpy()
        observed = ~np.isnan(y)
        if _has_enough(y[observed], MIN_EVENTS_FOR_SELECTION):
            table = _Contingency([labels[observed]], y[observed], seed)
            figures[f"{outcome}_gini"] = table.discrimination("it", [0])["it_gini"]
    ranks = outcomes["contribution"].rank()
    if ranks.notna().sum() > MIN_GROUP_SIZE and ranks.std() > 0:
        between = ranks.groupby(labels).transform("mean")
        explained = between[ranks.notna()].var(ddof=0) / ranks.var(ddof=0)
        figures["contribution_share"] = float(explained)
    return figures


class _Contingency:
    """Customers counted by their groups (class, segment) and outcome.

    The customers of one cell have one score and are interchangeable, so that the cost of everything
    below does not depend on the number of customers.
    """

    def __init__(self, groupings: list[np.ndarray], y: np.ndarray, seed: int) -> None:
        """Count the customers.

        Parameters
        ----------
        groupings
            Per grouping one code (0, 1, …) per customer.
        y
            Outcome of each customer, 0 or 1.
        """
        codes = [_dense(grouping)[1] for grouping in groupings]
        sizes = [int(code.max()) + 1 for code in codes]
        present, cell = _dense(np.ravel_multi_index(codes, sizes))
        # Per grouping: cells × groups.
        self.indicators = [
            (code[:, None] == np.arange(size)[None, :]).astype(float)
            for code, size in zip(np.unravel_index(present, sizes), sizes, strict=True)
        ]
        hits = np.bincount(cell, weights=y, minlength=len(present)).astype(np.int64)
        counts = np.stack([np.bincount(cell, minlength=len(present)) - hits, hits], axis=1)
        self.draws = np.random.default_rng(seed)
        # Every customer falls into one of five folds at random: cells × outcomes × folds.
        self.folds = self.draws.multinomial(counts, np.full(FOLDS, 1 / FOLDS))
        self._scores: dict[tuple[int, ...], np.ndarray] = {}

    def scores(self, groupings: list[int]) -> np.ndarray:
        """Return out-of-fold probabilities of the outcome, cells × folds.

        A logistic model on the groupings (positions) is fitted on the other folds.
        """
        key = tuple(groupings)
        if key not in self._scores:
            self._scores[key] = self._fit_scores(groupings)
        return self._scores[key]

    def _fit_scores(self, groupings: list[int]) -> np.ndarray:
        x = np.hstack([self.indicators[position] for position in groupings])
        both = np.vstack([x, x])
        y = np.repeat([0, 1], len(x))
        scores = np.empty((len(x), FOLDS))
        for fold in range(FOLDS):
            weights = (self.folds.sum(axis=2) - self.folds[:, :, fold]).T.ravel()
            rows = weights > 0
            model = LogisticRegression(C=10.0, max_iter=500)
            model.fit(both[rows], y[rows], sample_weight=weights[rows])
            scores[:, fold] = model.predict_proba(x)[:, 1]
        return scores

    def discrimination(self, name: str, groupings: list[int]) -> dict[str, float]:
        """Return `name`_auc, `name`_gini and `name`_ks as means over the folds.

        Customers of different folds are never ranked against each other: a fold with more events
        than its share has lower scores, because its own events are missing from its model.
        """
        ranks = _ranks(self.scores(groupings))
        auc = float(np.nanmean(_aucs(self.folds[None], ranks)))
        cumulative = np.cumsum(_counts_by_rank(self.folds[None], ranks)[0], axis=1)
        shares = cumulative / cumulative[:, -1:, :].clip(1)
        gaps = np.abs(np.diff(shares, axis=2)).max(axis=(1, 2))
        return {f"{name}_auc": auc, f"{name}_gini": 2 * auc - 1, f"{name}_ks": float(gaps.mean())}

    def gain(self, one: list[int], other: list[int]) -> tuple[float, float]:
        """Return the 95 % bootstrap percentile interval of AUC(one) − AUC(other).

        Both are computed on the same resampled customers (Efron & Tibshirani 1993).
        """
        total = int(self.folds.sum())
        resampled = self.draws.multinomial(total, self.folds.ravel() / total, BOOTSTRAPS)
        resampled = resampled.reshape(BOOTSTRAPS, *self.folds.shape)
        first = np.nanmean(_aucs(resampled, _ranks(self.scores(one))), axis=1)
        second = np.nanmean(_aucs(resampled, _ranks(self.scores(other))), axis=1)
        low, high = np.nanpercentile(first - second, [2.5, 97.5])
        return float(low), float(high)


def _dense(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber codes (0, 1, …): those that occur, ascending, and each customer's new code."""
    occurs = np.bincount(codes) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[codes]


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Return the rank of each score within its fold (cells × folds); equal scores share one."""
    rounded = np.round(scores, 12)
    columns = [np.unique(rounded[:, fold], return_inverse=True)[1] for fold in range(FOLDS)]
    return np.stack(columns, axis=1)


def _counts_by_rank(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Sum counts (draws × cells × outcomes × folds) by rank: draws × folds × ranks × outcomes."""
    has_rank = (ranks.T[:, :, None] == np.arange(ranks.max() + 1)[None, None, :]).astype(float)
    return np.einsum("dcof,fcp->dfpo", counts, has_rank, optimize=True)


def _aucs(counts: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each fold, draws × folds; ties count half.

    Missing (NaN) in a fold without both outcomes.
    """
    by_rank = _counts_by_rank(counts, ranks)
    without = by_rank[..., 0]
    events = by_rank[..., 1]
    pairs = without.sum(axis=2) * events.sum(axis=2)
    concordant = (events * (np.cumsum(without, axis=2) - without / 2)).sum(axis=2)
    return np.divide(concordant, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def validation(
    segments: np.ndarray, classes: pd.Series, outcomes: pd.DataFrame, seed: int
) -> list[dict[str, Any]]:
    """Compare class, segment and both combined on every outcome.

    Parameters
    ----------
    segments
        One segment (0, 1, …) per customer.
    classes
        The class of each customer by one scheme.
    outcomes
        See `features.outcomes_after`; in the same order.

    Returns
    -------
    list of dict
        One row per outcome: outcome, n, events; auc, gini and ks of class, segment and both; gain
        (AUC of both − AUC of class) with gain_low and gain_high, its 95 % interval; verdict: adds,
        nothing, too_few, or one_class (only the segments are evaluated, on all customers).
    """
    kinds = pd.Categorical(classes)
    ungraded = [kinds.categories.get_indexer([code])[0] for code in UNGRADED]
    is_graded = (kinds.codes >= 0) & ~np.isin(kinds.codes, ungraded)
    return [
        _validation_row(outcome, y, segments, kinds.codes, is_graded, seed)
        for outcome, y in binary_outcomes(outcomes).items()
    ]


def _validation_row(
    outcome: str,
    y: np.ndarray,
    segments: np.ndarray,
    classes: np.ndarray,
    is_graded: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    rows = ~np.isnan(y) & is_graded
    has_one_class = len(np.unique(classes[rows])) < 2
    if has_one_class:
        rows = ~np.isnan(y)
    events = y[rows]
    row: dict[str, Any] = {
        "outcome": outcome,
        "n": int(rows.sum()),
        "events": int(events.sum()),
    }
    if not _has_enough(events, MIN_EVENTS):
        return row | {"verdict": "too_few"}
    if has_one_class:
        table = _Contingency([segments[rows]], events, seed)
        return row | table.discrimination("segment", [0]) | {"verdict": "one_class"}
    table = _Contingency([classes[rows], segments[rows]], events, seed)
    for name, groupings in (("class", [0]), ("segment", [1]), ("both", [0, 1])):
        row |= table.discrimination(name, groupings)
    low, high = table.gain([0, 1], [0])
    gain = row["both_auc"] - row["class_auc"]
    verdict = "adds" if low > 0 and gain >= MATERIAL_GAIN else "nothing"
    return row | {"gain": gain, "gain_low": low, "gain_high": high, "verdict": verdict}


def binary_outcomes(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return overdue, reloan and high contribution (the top fifth) as 1, 0 or NaN per customer."""
    contribution = outcomes["contribution"].to_numpy(dtype=float)
    is_missing = np.isnan(contribution)
    high = contribution
    if not is_missing.all():
        threshold = np.nanquantile(contribution, HIGH_CONTRIBUTION)
        high = np.where(is_missing, np.nan, contribution > threshold)
    return {
        "overdue": outcomes["overdue"].to_numpy(),
        "reloan": outcomes["reloan"].to_numpy(),
        "contribution": high,
    }


def _has_enough(y: np.ndarray, fewest: int) -> bool:
    return min(y.sum(), len(y) - y.sum()) >= fewest


def rates(
    codes: np.ndarray, groups: Sequence[str], outcomes: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """Compute the later outcomes of every group that has members.

    Parameters
    ----------
    codes
        Position in `groups` of each customer, −1 for none.
    outcomes
        See `features.outcomes_after`; in the same order.

    Returns
    -------
    dict
        Per group: overdue and reloan as {rate, low, high, n} with 95 % Wilson intervals (Wilson
        1927); contribution as the mean in CNY a customer with its normal 95 % interval; lift of
        the overdue rate over that of all customers (lift_low, lift_high); verdict good, bad or
        plain.
    """
    overall = float(outcomes["overdue"].mean()) if outcomes["overdue"].notna().any() else 0.0
    sums = {
        name: _sums(codes, outcomes[name].to_numpy(dtype=float), len(groups))
        for name in outcomes.columns
    }
    sizes = np.bincount(codes[codes >= 0], minlength=len(groups))
    results: dict[str, dict[str, Any]] = {}
    for position, group in enumerate(groups):
        if not sizes[position]:
            continue
        result: dict[str, Any] = {}
        for outcome in ("overdue", "reloan"):
            n, total, _ = (part[position] for part in sums[outcome])
            result[outcome] = share(int(total), int(n))
        result["contribution"] = _mean(*(part[position] for part in sums["contribution"]))
        results[str(group)] = result | _lift(result["overdue"], overall)
    return results


def _mean(n: np.int64, total: np.float64, squares: np.float64) -> dict[str, Any]:
    """Return the mean with its normal 95 % interval, from count, sum and sum of squares."""
    if not n:
        return {"rate": None, "low": None, "high": None, "n": 0}
    centre = total / n
    if n < 2:
        return {"rate": centre, "low": None, "high": None, "n": int(n)}
    margin = 1.96 * np.sqrt(max(squares / n - centre**2, 0) / (n - 1))
    return {
        "rate": centre,
        "low": float(centre - margin),
        "high": float(centre + margin),
        "n": int(n),
    }


def _lift(overdue: dict[str, Any], overall: float) -> dict[str, Any]:
    """Return the lift of an overdue rate over that of all customers, and the verdict."""
    if not overdue["n"] or overall <= 0:
        return {"verdict": "plain", "lift": None}
    lift = overdue["rate"] / overall
    low = overdue["low"] / overall
    high = overdue["high"] / overall
    verdict = "plain"
    if overdue["n"] >= MIN_GROUP_SIZE:
        if lift <= GOOD_LIFT and high < 1:
            verdict = "good"
        elif lift >= BAD_LIFT and low > 1:
            verdict = "bad"
    return {"verdict": verdict, "lift": lift, "lift_low": low, "lift_high": high}


def _sums(
    codes: np.ndarray, y: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return per group the number of values that are not missing, their sum and sum of squares."""
    rows = ~np.isnan(y) & (codes >= 0)
    group = codes[rows]
    values = y[rows]
    return (
        np.bincount(group, minlength=count),
        np.bincount(group, weights=values, minlength=count),
        np.bincount(group, weights=values**2, minlength=count),
    )


def share(hits: int, n: int) -> dict[str, Any]:
    """Return a share of one as {rate, low, high, n} with its 95 % Wilson interval (Wilson 1927)."""
    if not n:
        return {"rate": None, "low": None, "high": None, "n": 0}
    low, high = proportion_confint(hits, n, method="wilson")
    return {"rate": hits / n, "low": float(low), "high": float(high), "n": n}
