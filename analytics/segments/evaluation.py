"""Out-of-time discriminatory power of classes and segments, alone and together (AUC, Gini, KS).

Segments and classes are those of a month end, outcomes those of the twelve months after. The score
of a class or segment is the rate of its members in a logistic model, predicted by five-fold
cross-validation, so that no customer is scored by their own outcome. AUC is the area under the ROC
curve, Gini = 2·AUC − 1, KS the greatest gap between the cumulative shares of the two outcomes
(Siddiqi 2006).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from statsmodels.stats.proportion import proportion_confint

from analytics.metrics.definitions import MIN_GROUP_SIZE

FOLDS = 5
DRAWS = 200
FEWEST_EVENTS = 20
"""Fewest cases with and without an outcome for which its order is judged."""
FEWEST_TO_CHOOSE = 100
"""Fewest cases with and without an outcome for it to count in the choice: fewer are mostly chance.
"""
MATERIAL = 0.01
"""Gain in AUC below which the segments are said to add nothing, however narrow the interval."""
TOP = 0.8
"""Contribution counts as high above this quantile."""
GOOD, BAD = 2 / 3, 1.5
"""A class or segment is good up to, and bad from, this multiple of the overdue rate of all
customers, where its 95 % interval excludes 1 as well."""
NO_CLASS = ("unrated", "no_loan", "new")


def usefulness(
    labels: np.ndarray, outcomes: pd.DataFrame | None, seed: int
) -> dict[str, float | None]:
    """Out-of-time figures of one labelling: Gini of later overdue and of reloan, share of
    contribution's variance.
    """
    told: dict[str, float | None] = {
        "overdue_gini": None,
        "reloan_gini": None,
        "contribution_share": None,
    }
    if outcomes is None:
        return told
    for outcome in ("overdue", "reloan"):
        y = outcomes[outcome].to_numpy()
        known = ~np.isnan(y)
        if _enough(y[known], FEWEST_TO_CHOOSE):
            cells = _Cells([labels[known]], y[known], seed)
            told[f"{outcome}_gini"] = cells.order("it", [0])["it_gini"]
    ranks = outcomes["contribution"].rank()
    if ranks.notna().sum() > MIN_GROUP_SIZE and ranks.std() > 0:
        between = ranks.groupby(labels).transform("mean")
        told["contribution_share"] = float(between[ranks.notna()].var(ddof=0) / ranks.var(ddof=0))
    return told


class _Cells:
    """Customers counted by their kinds (class, segment) and outcome.

    Those of one cell have one score and are interchangeable, so that all that follows costs the
    same for a million customers as for a thousand.
    """

    def __init__(self, kinds: list[np.ndarray], y: np.ndarray, seed: int) -> None:
        codes = [_dense(kind)[1] for kind in kinds]
        sizes = [int(code.max()) + 1 for code in codes]
        present, cell = _dense(np.ravel_multi_index(codes, sizes))
        self.hot = [
            (code[:, None] == np.arange(size)[None, :]).astype(float)
            for code, size in zip(np.unravel_index(present, sizes), sizes, strict=True)
        ]
        hits = np.bincount(cell, weights=y, minlength=len(present)).astype(np.int64)
        counts = np.stack([np.bincount(cell, minlength=len(present)) - hits, hits], axis=1)
        self.draws = np.random.default_rng(seed)
        # Every customer falls into one of five folds at random: cells × outcome × fold.
        self.folds = self.draws.multinomial(counts, np.full(FOLDS, 1 / FOLDS))
        self._scores: dict[tuple[int, ...], np.ndarray] = {}

    def scores(self, use: list[int]) -> np.ndarray:
        """cells × folds: probability told by a logistic model on the kinds in use, fitted on the
        other folds.
        """
        if tuple(use) not in self._scores:
            self._scores[tuple(use)] = self._fitted(use)
        return self._scores[tuple(use)]

    def _fitted(self, use: list[int]) -> np.ndarray:
        hot = np.hstack([self.hot[place] for place in use])
        both, y = np.vstack([hot, hot]), np.repeat([0, 1], len(hot))
        found = np.empty((len(hot), FOLDS))
        for fold in range(FOLDS):
            learn = (self.folds.sum(axis=2) - self.folds[:, :, fold]).T.ravel()
            used = learn > 0
            model = LogisticRegression(C=10.0, max_iter=500)
            found[:, fold] = model.fit(
                both[used], y[used], sample_weight=learn[used]
            ).predict_proba(hot)[:, 1]
        return found

    def order(self, name: str, use: list[int]) -> dict[str, float]:
        """AUC, Gini and KS of the scores: means over the folds, each judged by the model that did
        not know it. Scores of different folds are not put in one order: a fold with more cases than
        its share was told a lower rate for it.
        """
        places = _places(self.scores(use))
        auc = float(np.nanmean(_aucs(self.folds[None], places)))
        cumulated = np.cumsum(_by_score(self.folds[None], places)[0], axis=1)
        gaps = np.abs(np.diff(cumulated / cumulated[:, -1:, :].clip(1), axis=2)).max(axis=(1, 2))
        return {f"{name}_auc": auc, f"{name}_gini": 2 * auc - 1, f"{name}_ks": float(gaps.mean())}

    def gain(self, one: list[int], other: list[int]) -> tuple[float, float]:
        """95 % percentile interval of AUC(one) − AUC(other), the same customers drawn anew for
        both.
        """
        total = int(self.folds.sum())
        drawn = self.draws.multinomial(total, self.folds.ravel() / total, DRAWS).reshape(
            DRAWS, *self.folds.shape
        )
        first, second = (
            np.nanmean(_aucs(drawn, _places(self.scores(use))), axis=1) for use in (one, other)
        )
        low, high = np.nanpercentile(first - second, [2.5, 97.5])
        return float(low), float(high)


def _dense(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes (small whole numbers from 0) that occur, ascending, and each one's place among
    them.
    """
    occurs = np.bincount(codes) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[codes]


def _places(scores: np.ndarray) -> np.ndarray:
    """cells × folds: the place of each score among those of its fold, ascending; equal scores share
    one.
    """
    rounded = np.round(scores, 12)
    return np.stack(
        [np.unique(rounded[:, fold], return_inverse=True)[1] for fold in range(FOLDS)], axis=1
    )


def _by_score(counts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """draws × cells × outcome × folds, counted by place: draws × folds × places × outcome."""
    hot = (places.T[:, :, None] == np.arange(places.max() + 1)[None, None, :]).astype(float)
    return np.einsum("dcof,fcp->dfpo", counts, hot, optimize=True)


def _aucs(counts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """draws × folds: area under the ROC curve of counted customers (ties half); missing in a fold
    without both outcomes.
    """
    told = _by_score(counts, places)
    good, bad = told[..., 0], told[..., 1]
    pairs = good.sum(axis=2) * bad.sum(axis=2)
    won = (bad * (np.cumsum(good, axis=2) - good / 2)).sum(axis=2)
    return np.divide(won, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def validation(
    segments: np.ndarray, classes: pd.Series, outcomes: pd.DataFrame, seed: int
) -> list[dict]:
    """Class, segment and both against every outcome, on the customers who have both.

    Rows: outcome, n, events, auc, gini, ks for each of class, segment, both; gain (AUC of both −
    class) with its 95 % interval over customers drawn anew; verdict: adds, nothing, too_few, or
    one_class (then only the segments are judged, on everybody).
    """
    kinds = pd.Categorical(classes)
    graded = (kinds.codes >= 0) & ~np.isin(
        kinds.codes, [kinds.categories.get_indexer([c])[0] for c in NO_CLASS]
    )
    rows = []
    for outcome, y in targets(outcomes).items():
        known = ~np.isnan(y) & graded
        is_alone = len(np.unique(kinds.codes[known])) < 2
        known = ~np.isnan(y) if is_alone else known
        mine = y[known]
        row: dict = {"outcome": outcome, "n": int(known.sum()), "events": int(mine.sum())}
        if not _enough(mine):
            rows.append(row | {"verdict": "too_few"})
            continue
        if is_alone:
            rows.append(
                row
                | _Cells([segments[known]], mine, seed).order("segment", [0])
                | {"verdict": "one_class"}
            )
            continue
        cells = _Cells([kinds.codes[known], segments[known]], mine, seed)
        for name, use in (("class", [0]), ("segment", [1]), ("both", [0, 1])):
            row |= cells.order(name, use)
        low, high = cells.gain([0, 1], [0])
        row |= {"gain": row["both_auc"] - row["class_auc"], "gain_low": low, "gain_high": high}
        rows.append(row | {"verdict": "adds" if low > 0 and row["gain"] >= MATERIAL else "nothing"})
    return rows


def targets(outcomes: pd.DataFrame) -> dict[str, np.ndarray]:
    """Outcome → 1, 0 or missing, for overdue, reloan and a later contribution in the bank's top
    fifth.
    """
    paid = outcomes["contribution"].to_numpy(dtype=float)
    high = (
        np.where(np.isnan(paid), np.nan, paid > np.nanquantile(paid, TOP))
        if (~np.isnan(paid)).any()
        else paid
    )
    return {
        "overdue": outcomes["overdue"].to_numpy(),
        "reloan": outcomes["reloan"].to_numpy(),
        "contribution": high,
    }


def _enough(y: np.ndarray, fewest: int = FEWEST_EVENTS) -> bool:
    return min(y.sum(), len(y) - y.sum()) >= fewest


def rates(codes: np.ndarray, kinds: Sequence[str], outcomes: pd.DataFrame) -> dict[str, dict]:
    """Kind → what became of its members (`codes` are positions in `kinds`, −1 none): rate, low,
    high (95 %, Wilson 1927), n of overdue and reloan; mean net contribution, CNY a customer, with
    its normal 95 % interval; lift of overdue over all customers'; verdict good, bad or plain. Kinds
    without members are left out.
    """
    overall = float(outcomes["overdue"].mean()) if outcomes["overdue"].notna().any() else 0.0
    sums = {
        name: _sums(codes, outcomes[name].to_numpy(dtype=float), len(kinds))
        for name in outcomes.columns
    }
    found = {}
    present = np.bincount(codes[codes >= 0], minlength=len(kinds)) > 0
    for place, kind in enumerate(kinds):
        if not present[place]:
            continue
        told: dict = {}
        for outcome in ("overdue", "reloan"):
            n, total, _ = (part[place] for part in sums[outcome])
            told[outcome] = share(int(total), int(n))
        n, total, squares = (part[place] for part in sums["contribution"])
        centre = total / n if n else None
        spread = 1.96 * np.sqrt(max(squares / n - centre**2, 0) / (n - 1)) if n > 1 else None
        told["contribution"] = {
            "rate": centre,
            "low": None if spread is None else float(centre - spread),
            "high": None if spread is None else float(centre + spread),
            "n": int(n),
        }
        told["verdict"], told["lift"] = "plain", None
        if told["overdue"]["n"] and overall > 0:
            told["lift"] = told["overdue"]["rate"] / overall
            told["lift_low"], told["lift_high"] = (
                told["overdue"]["low"] / overall,
                told["overdue"]["high"] / overall,
            )
            if told["overdue"]["n"] >= MIN_GROUP_SIZE:
                is_good = told["lift"] <= GOOD and told["lift_high"] < 1
                is_bad = told["lift"] >= BAD and told["lift_low"] > 1
                told["verdict"] = "good" if is_good else "bad" if is_bad else "plain"
        found[str(kind)] = told
    return found


def _sums(
    codes: np.ndarray, y: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per group: how many are known, their sum, their sum of squares."""
    known = ~np.isnan(y) & (codes >= 0)
    mine, told = codes[known], y[known]
    return tuple(np.bincount(mine, weights=w, minlength=count) for w in (None, told, told**2))


def share(hits: int, n: int) -> dict:
    """A share with its Wilson interval."""
    if not n:
        return {"rate": None, "low": None, "high": None, "n": 0}
    low, high = proportion_confint(hits, n, method="wilson")
    return {"rate": hits / n, "low": float(low), "high": float(high), "n": n}
