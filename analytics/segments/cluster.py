"""Candidates fitted on the same customers, compared, and one of them chosen with its reason.

A fitted candidate is always kept as centres (and, for Gaussian mixtures, shapes), so that it can
say the segment of customers it has not seen. Seeded: two fits with one seed are the same.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

from analytics.segments import evaluation
from analytics.segments.feature_space import BATCH

COUNTS = (4, 5, 6, 7, 8)
BOOTSTRAPS = 10
COMPARED = 4_000
"""Customers on which the candidates are compared."""
FITTED = 20_000
"""Customers on which the chosen one is fitted."""
PAIRWISE = 1_500
"""Customers for what compares every pair: the silhouette, Ward's tree, HDBSCAN."""
STABLE = 0.8
SMALLEST = 0.02
NEAR = 0.05
"""Silhouettes closer than this to the best count as equally clear."""
TIE = 0.02
"""Uses closer than this to the best count as equal."""
METHODS = ("kmeans", "minibatch", "gaussian", "ward", "hdbscan")
BETTER = 0.99
"""A refit leaves last month's centres only for a solution whose inertia is this share of theirs or
less.
"""


@dataclass
class Model:
    """centres: segments × components; roots: inverse square roots of the shapes, and offsets, of a
    Gaussian mixture.
    """

    centres: np.ndarray
    roots: np.ndarray | None = None
    offsets: np.ndarray | None = None

    def distances(self, x: np.ndarray) -> np.ndarray:
        """n × segments: squared distance, for a mixture −2 log density; the smallest is the
        segment.
        """
        if self.roots is None:
            return (
                (x**2).sum(axis=1)[:, None] - 2 * x @ self.centres.T + (self.centres**2).sum(axis=1)
            ).clip(0)
        return np.stack(
            [
                (((x - c) @ r) ** 2).sum(axis=1) + o
                for c, r, o in zip(self.centres, self.roots, self.offsets, strict=True)
            ],
            axis=1,
        )

    def assign(self, x: np.ndarray) -> np.ndarray:
        """The segment (0 …) of each row, in batches."""
        parts = [
            self.distances(x[at : at + BATCH]).argmin(axis=1)
            for at in range(0, max(len(x), 1), BATCH)
        ]
        return np.concatenate(parts)

    @property
    def count(self) -> int:
        return len(self.centres)


@dataclass
class Candidate:
    """One row of the comparison.

    silhouette and stability are at most 1; Gini of later overdue and reloan, share of the variance
    of later contribution (ranks) are out of time, missing where outcomes are not known; seconds for
    one fit. is_reduced: fitted on the leading components, else on all of them.
    """

    method: str
    count: int
    is_reduced: bool
    silhouette: float | None
    stability: float | None
    smallest: float
    overdue_gini: float | None
    reloan_gini: float | None
    contribution_share: float | None
    seconds: float
    is_chosen: bool = False

    @property
    def use(self) -> float:
        """Mean of what is known of the three out-of-time figures."""
        told = [
            v
            for v in (self.overdue_gini, self.reloan_gini, self.contribution_share)
            if v is not None
        ]
        return float(np.mean(told)) if told else 0.0


def sample(count: int, size: int, seed: int) -> np.ndarray:
    """Ascending rows of a seeded sample without repetition; all rows where there are no more than
    `size`.
    """
    if count <= size:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False))


def fit(
    method: str, count: int, x: np.ndarray, seed: int, start: np.ndarray | None = None
) -> Model | None:
    """A model of `count` segments (HDBSCAN finds its own), or None where the method finds fewer
    than two.

    start  centres to begin from: those of the month before
    """
    if method == "kmeans":
        return Model(_rounded(_means(x, count, seed, start)))
    if method == "minibatch":
        how = {"n_init": 3} if start is None else {"n_init": 1, "init": start}
        found = MiniBatchKMeans(count, random_state=seed, batch_size=1024, **how).fit(x)
        return Model(_rounded(found.cluster_centers_))
    if method == "gaussian":
        return _mixture(x, count, seed, start)
    rows = sample(len(x), PAIRWISE, seed)
    part = x[rows]
    if method == "ward":
        labels = AgglomerativeClustering(count, linkage="ward").fit_predict(part)
    else:
        labels = HDBSCAN(min_cluster_size=max(10, int(len(part) * 0.03)), copy=True).fit_predict(
            part
        )
    kinds = [kind for kind in np.unique(labels) if kind >= 0]
    if len(kinds) < 2:
        return None
    return Model(_rounded(np.array([part[labels == kind].mean(axis=0) for kind in kinds])))


def _means(x: np.ndarray, count: int, seed: int, start: np.ndarray | None) -> np.ndarray:
    fresh = KMeans(count, n_init=3, random_state=seed).fit(x)
    if start is None:
        return fresh.cluster_centers_
    kept = KMeans(len(start), init=start, n_init=1, random_state=seed).fit(x)
    return (fresh if fresh.inertia_ < kept.inertia_ * BETTER else kept).cluster_centers_


def _mixture(x: np.ndarray, count: int, seed: int, start: np.ndarray | None) -> Model:
    with warnings.catch_warnings():
        # A mixture that still moves after a hundred rounds is compared as it stands.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = GaussianMixture(
            count,
            covariance_type="full",
            reg_covar=1e-3,
            random_state=seed,
            means_init=start,
            max_iter=100,
        ).fit(x)
    roots = _rounded(found.precisions_cholesky_)
    determinants = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    return Model(
        _rounded(found.means_), roots, _rounded(-2 * (np.log(found.weights_) + determinants))
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    """Sums of threads differ in their last digits from run to run; what is kept must not."""
    return np.round(values, 9)


def compare(
    x: np.ndarray, seen: np.ndarray, outcomes: pd.DataFrame | None, seed: int, methods: Sequence[str] = METHODS,
    is_reduced: bool = True,
) -> list[Candidate]:  # fmt: skip
    """Every candidate fitted on a sample of the rows of `x`, with all its figures; none chosen yet.

    seen, outcomes  customers in the same space and what became of them, all of whom are asked for: events are few
    """
    x = x[sample(len(x), COMPARED, seed + 3)]
    near = sample(len(x), PAIRWISE, seed + 1)
    most = min(max(COUNTS), len(x) // 20)
    found = []
    for method in methods:
        # A library's first fit of the process pays for more than itself.
        fit(method, 2, x[:PAIRWISE], seed)
        for count in COUNTS if method != "hdbscan" else (0,):
            if count > most:
                continue
            began = time.perf_counter()
            model = fit(method, count, x, seed)
            seconds = time.perf_counter() - began
            if model is None:
                continue
            labels = model.assign(x)
            sizes = np.bincount(labels, minlength=model.count) / len(labels)
            many = len(np.unique(labels[near])) > 1
            found.append(
                Candidate(
                    method,
                    model.count,
                    is_reduced,
                    float(silhouette_score(x[near], labels[near])) if many else None,
                    stability(method, count, x, labels, seed),
                    float(sizes.min()),
                    **evaluation.usefulness(model.assign(seen), outcomes, seed),
                    seconds=seconds,
                )
            )
    return found


def improves(reduced: Sequence[Candidate], whole: Sequence[Candidate]) -> bool:
    """Whether the same method with the same counts is steadier and more useful on fewer components
    (mean stability plus mean use, both of which mean the same in either space; a silhouette does
    not).
    """

    def worth(found: Sequence[Candidate]) -> float:
        return float(np.mean([c.stability + c.use for c in found]))

    return worth(reduced) >= worth(whole)


def stability(
    method: str, count: int, x: np.ndarray, labels: np.ndarray, seed: int, times: int = BOOTSTRAPS
) -> float:
    """Mean adjusted Rand index between the fit and fits on samples drawn with replacement, all
    asked of all rows.
    """
    draws = np.random.default_rng(seed + 2)
    found = []
    for turn in range(times):
        again = fit(method, count, x[draws.integers(0, len(x), len(x))], seed + 10 + turn)
        found.append(0.0 if again is None else agreement(labels, again.assign(x)))
    return float(np.mean(found))


def choose(
    found: Sequence[Candidate], before: tuple[str, int] | None = None
) -> tuple[Candidate, dict[str, Any]]:
    """The candidate to keep and the reason: a locale key with its values.

    before  method and count of the edition before: kept as long as it is stable and about as clear as the best, so that
            segments do not change their number from month to month without need

    Of those with stability 0.8 or more and no segment below 2 % of the customers, those whose silhouette lies within
    0.05
    of the best; of these the one that separates later outcomes best, and where several do within 0.02 the simplest
    method
    with the fewest segments. Where none is stable, the most stable one, and the reason says so.
    """
    whole = [c for c in found if c.silhouette is not None and c.smallest >= SMALLEST]
    stable = [c for c in whole if c.stability >= STABLE]
    if not stable:
        best = max(whole or found, key=lambda c: c.stability)
        return best, {"key": "reason_unstable", "stability": best.stability}
    clear = max(c.silhouette for c in stable)
    near = [c for c in stable if c.silhouette >= clear - NEAR]
    useful = max(c.use for c in near)
    best = min(
        (c for c in near if c.use >= useful - TIE),
        key=lambda c: (METHODS.index(c.method), c.count, -c.silhouette),
    )
    same = next((c for c in near if (c.method, c.count) == before), None)
    if same:
        return same, {"key": "reason_kept", **asdict(same)}
    key = "reason" if best.use else "reason_without_outcomes"
    if not best.use:
        best = max(near, key=lambda c: (c.silhouette, -METHODS.index(c.method)))
    return best, {
        "key": key,
        "of": len(found),
        "stable": len(stable),
        "near": len(near),
        **asdict(best),
    }


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Adjusted Rand index of two labellings (whole numbers from 0) of the same customers (Hubert &
    Arabie 1985).

    1 the same, 0 what chance would give. Counted in cells, so that a million customers cost what
    their counting costs.
    """
    cells = np.bincount(one * (int(other.max()) + 1) + other).astype(float)
    pairs, first, second, every = (
        float((n * (n - 1) / 2).sum())
        for n in (
            cells,
            np.bincount(one).astype(float),
            np.bincount(other).astype(float),
            np.array([float(len(one))]),
        )
    )
    chance, most = first * second / every if every else 0.0, (first + second) / 2
    return 1.0 if most == chance else (pairs - chance) / (most - chance)
