"""Clustering methods and the models they give.

Every fitted model is stored as centres (for a Gaussian mixture with its shapes as well), so that it
can assign customers it has not seen. Fits are seeded: the same seed gives the same model.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from analytics.segments.feature_space import BATCH

PAIRWISE_SAMPLE = 1_500
"""Customers for methods and figures that compare every pair: Ward, HDBSCAN, the silhouette."""
METHODS = ("kmeans", "minibatch", "gaussian", "ward", "hdbscan")
"""From the simplest method to the most complex one."""
MAX_INERTIA_SHARE = 0.99
"""A refit leaves the centres of the month before only for a solution whose inertia is at most this
share of theirs.
"""


@dataclass
class Model:
    """Segments as centres, or as the components of a Gaussian mixture.

    Attributes
    ----------
    centres
        Segments × components.
    roots
        Of a mixture: Cholesky factors of the precisions, segments × components × components.
    offsets
        Of a mixture: what the weight and the determinant add to −2 log density, one per segment.
    """

    centres: np.ndarray
    roots: np.ndarray | None = None
    offsets: np.ndarray | None = None

    def distances(self, x: np.ndarray) -> np.ndarray:
        """Return squared distances, or −2 log densities of a mixture, customers × segments."""
        if self.roots is None or self.offsets is None:
            squares = (x**2).sum(axis=1)[:, None]
            return (squares - 2 * x @ self.centres.T + (self.centres**2).sum(axis=1)).clip(0)
        shapes = zip(self.centres, self.roots, self.offsets, strict=True)
        columns = [(((x - c) @ root) ** 2).sum(axis=1) + offset for c, root, offset in shapes]
        return np.stack(columns, axis=1)

    def assign(self, x: np.ndarray) -> np.ndarray:
        """Return the nearest segment (0, 1, …) of each row of `x` (customers × components)."""
        parts = [
            self.distances(x[start : start + BATCH]).argmin(axis=1)
            for start in range(0, max(len(x), 1), BATCH)
        ]
        return np.concatenate(parts)

    @property
    def count(self) -> int:
        """Number of segments."""
        return len(self.centres)

    def as_json(self) -> dict[str, Any]:
        """Return the model as lists of numbers, None for what it does not have."""
        arrays = {"centres": self.centres, "roots": self.roots, "offsets": self.offsets}
        return {name: None if array is None else array.tolist() for name, array in arrays.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Model:
        """Return the model that `as_json` wrote."""
        roots = stored["roots"]
        offsets = stored["offsets"]
        return cls(
            np.array(stored["centres"]),
            None if roots is None else np.array(roots),
            None if offsets is None else np.array(offsets),
        )


def sample(count: int, size: int, seed: int) -> np.ndarray:
    """Return the ascending positions of a sample without replacement; all when `count` ≤ `size`."""
    if count <= size:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False))


def fit(
    method: str, count: int, x: np.ndarray, seed: int, start: np.ndarray | None = None
) -> Model | None:
    """Fit a model of `count` segments; HDBSCAN ignores `count` and determines the number itself.

    Parameters
    ----------
    x
        Customers × components.
    start
        Centres to start from, segments × components: those of the month before.

    Returns
    -------
    Model or None
        None where the method finds fewer than two segments.
    """
    if method == "kmeans":
        return Model(_rounded(_kmeans_centres(x, count, seed, start)))
    if method == "minibatch":
        options = {"n_init": 3} if start is None else {"n_init": 1, "init": start}
        model = MiniBatchKMeans(count, random_state=seed, batch_size=1024, **options).fit(x)
        return Model(_rounded(model.cluster_centers_))
    if method == "gaussian":
        return _mixture(x, count, seed, start)
    part = x[sample(len(x), PAIRWISE_SAMPLE, seed)]
    if method == "ward":
        labels = AgglomerativeClustering(count, linkage="ward").fit_predict(part)
    else:
        smallest = max(10, int(len(part) * 0.03))
        labels = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(part)
    # HDBSCAN labels noise −1.
    segments = [label for label in np.unique(labels) if label >= 0]
    if len(segments) < 2:
        return None
    return Model(_rounded(np.array([part[labels == label].mean(axis=0) for label in segments])))


def _kmeans_centres(x: np.ndarray, count: int, seed: int, start: np.ndarray | None) -> np.ndarray:
    fresh = KMeans(count, n_init=3, random_state=seed).fit(x)
    if start is None:
        return fresh.cluster_centers_
    continued = KMeans(len(start), init=start, n_init=1, random_state=seed).fit(x)
    is_better = fresh.inertia_ < continued.inertia_ * MAX_INERTIA_SHARE
    return (fresh if is_better else continued).cluster_centers_


def _mixture(x: np.ndarray, count: int, seed: int, start: np.ndarray | None) -> Model:
    with warnings.catch_warnings():
        # A mixture that has not converged after a hundred iterations is compared as it is.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = GaussianMixture(
            count,
            covariance_type="full",
            reg_covar=1e-3,
            random_state=seed,
            means_init=start,
            max_iter=100,
        ).fit(x)
    roots = _rounded(mixture.precisions_cholesky_)
    determinants = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    offsets = _rounded(-2 * (np.log(mixture.weights_) + determinants))
    return Model(_rounded(mixture.means_), roots, offsets)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Round away the last digits, which sums over several threads do not reproduce."""
    return np.round(values, 9)


def centroids(x: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of each segment's rows of `x`, segments × components.

    A segment without members gets the mean of all rows.
    """
    overall = x.mean(axis=0)
    means = [
        x[labels == segment].mean(axis=0) if (labels == segment).any() else overall
        for segment in range(count)
    ]
    return np.array(means)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return the adjusted Rand index of two labellings of the same customers.

    1 for identical labellings, 0 for what chance would give (Hubert & Arabie 1985). Computed from
    the contingency table, so that the cost is that of counting.

    Parameters
    ----------
    one, other
        One label (0, 1, …) per customer.
    """
    cells = np.bincount(one * (int(other.max()) + 1) + other).astype(float)
    pairs = _pairs(cells)
    first = _pairs(np.bincount(one).astype(float))
    second = _pairs(np.bincount(other).astype(float))
    every = _pairs(np.array([float(len(one))]))
    chance = first * second / every if every else 0.0
    most = (first + second) / 2
    return 1.0 if most == chance else (pairs - chance) / (most - chance)


def _pairs(counts: np.ndarray) -> float:
    """Number of pairs of customers within the same group."""
    return float((counts * (counts - 1) / 2).sum())
