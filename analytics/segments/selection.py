"""Compare candidate clusterings on the same customers and select one, with the reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import silhouette_score

from analytics.segments import evaluation
from analytics.segments.cluster import METHODS, PAIRWISE_SAMPLE, agreement, fit, sample

COUNTS = (4, 5, 6, 7, 8)
BOOTSTRAPS = 10
COMPARISON_SAMPLE = 4_000
"""Customers on whom the candidates are fitted and compared."""
MIN_STABILITY = 0.8
MIN_SEGMENT_SHARE = 0.02
SILHOUETTE_TOLERANCE = 0.05
"""Silhouettes closer than this to the best one count as equally clear."""
USEFULNESS_TOLERANCE = 0.02
"""Usefulness closer than this to the best one counts as equal."""


@dataclass
class Candidate:
    """One row of the comparison.

    Attributes
    ----------
    is_reduced
        Whether the candidate was fitted on the leading components, not on all of them.
    silhouette, stability
        At most 1; stability is a mean adjusted Rand index over bootstrap samples.
    smallest
        Share of the customers in the smallest segment.
    overdue_gini, reloan_gini
        Out-of-time Gini of later overdue and reloan; None where outcomes are missing.
    contribution_share
        Share of the variance of later contribution (ranks) that lies between the segments.
    seconds
        Duration of one fit.
    """

    method: str
    count: int
    is_reduced: bool
    silhouette: float | None
    stability: float
    smallest: float
    overdue_gini: float | None
    reloan_gini: float | None
    contribution_share: float | None
    seconds: float
    is_chosen: bool = False

    @property
    def usefulness(self) -> float:
        """Mean of the out-of-time figures that are available, 0 without any."""
        figures = (self.overdue_gini, self.reloan_gini, self.contribution_share)
        available = [figure for figure in figures if figure is not None]
        return float(np.mean(available)) if available else 0.0

    @property
    def clarity(self) -> float:
        """The silhouette, −1 where there is none."""
        return -1.0 if self.silhouette is None else self.silhouette


def compare(
    x: np.ndarray,
    outcome_x: np.ndarray,
    outcomes: pd.DataFrame | None,
    seed: int,
    methods: Sequence[str] = METHODS,
    is_reduced: bool = True,
) -> list[Candidate]:
    """Fit every candidate on a sample of the rows of `x` and compute its figures.

    Parameters
    ----------
    x
        Customers × components.
    outcome_x, outcomes
        Customers whose outcomes are complete, in the same space, and these outcomes (see
        `features.outcomes_after`). All of them are used, because events are rare.

    Returns
    -------
    list of Candidate
        None of them chosen yet.
    """
    x = x[sample(len(x), COMPARISON_SAMPLE, seed + 3)]
    most = min(max(COUNTS), len(x) // 20)
    candidates = []
    for method in methods:
        # The first fit of a library in a process takes longer than the others.
        fit(method, 2, x[:PAIRWISE_SAMPLE], seed)
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
            figures = evaluation.out_of_time_figures(model.assign(outcome_x), outcomes, seed)
            candidates.append(
                Candidate(
                    method=method,
                    count=model.count,
                    is_reduced=is_reduced,
                    silhouette=_silhouette(x, labels, seed),
                    stability=stability(method, count, x, labels, seed),
                    smallest=float(sizes.min()),
                    overdue_gini=figures["overdue_gini"],
                    reloan_gini=figures["reloan_gini"],
                    contribution_share=figures["contribution_share"],
                    seconds=seconds,
                )
            )
    return candidates


def _silhouette(x: np.ndarray, labels: np.ndarray, seed: int) -> float | None:
    rows = sample(len(x), PAIRWISE_SAMPLE, seed + 1)
    if len(np.unique(labels[rows])) < 2:
        return None
    return float(silhouette_score(x[rows], labels[rows]))


def improves(reduced: Sequence[Candidate], full: Sequence[Candidate]) -> bool:
    """Return whether the leading components give segments at least as good as all components.

    Judged by mean stability plus mean usefulness of the same method with the same counts. Both are
    comparable between the two spaces; silhouettes are not.
    """
    return _mean_quality(reduced) >= _mean_quality(full)


def _mean_quality(candidates: Sequence[Candidate]) -> float:
    return float(np.mean([c.stability + c.usefulness for c in candidates]))


def stability(
    method: str, count: int, x: np.ndarray, labels: np.ndarray, seed: int, times: int = BOOTSTRAPS
) -> float:
    """Return the mean adjusted Rand index between a fit and fits on bootstrap samples.

    Every fit assigns all rows of `x`. A fit that gives no model counts as 0.

    Parameters
    ----------
    x
        Customers × components.
    labels
        The segment of each row by the fit whose stability is measured.
    """
    draws = np.random.default_rng(seed + 2)
    indices = []
    for turn in range(times):
        rows = draws.integers(0, len(x), len(x))
        model = fit(method, count, x[rows], seed + 10 + turn)
        indices.append(0.0 if model is None else agreement(labels, model.assign(x)))
    return float(np.mean(indices))


def choose(
    candidates: Sequence[Candidate], previous: tuple[str, int] | None = None
) -> tuple[Candidate, dict[str, Any]]:
    """Select a candidate and give the reason.

    Of the candidates with a stability of 0.8 or more and no segment below 2 % of the customers,
    those within 0.05 of the best silhouette are equally clear. Of these the most useful one is
    selected; of those within 0.02 of it, the simplest method with the fewest segments. Without
    outcomes the clearest one is selected, and where no candidate is stable the most stable one.

    Parameters
    ----------
    previous
        Method and count of the edition before. It is selected again while it is stable and equally
        clear, so that the number of segments does not change from month to month without need.

    Returns
    -------
    tuple
        The candidate, and the reason as a locale key with its values.
    """
    eligible = [
        c for c in candidates if c.silhouette is not None and c.smallest >= MIN_SEGMENT_SHARE
    ]
    stable = [c for c in eligible if c.stability >= MIN_STABILITY]
    if not stable:
        best = max(eligible or candidates, key=lambda c: c.stability)
        return best, {"key": "reason_unstable", "stability": best.stability}
    clearest = max(c.clarity for c in stable)
    clear = [c for c in stable if c.clarity >= clearest - SILHOUETTE_TOLERANCE]
    most_useful = max(c.usefulness for c in clear)
    best = min(
        (c for c in clear if c.usefulness >= most_useful - USEFULNESS_TOLERANCE),
        key=lambda c: (METHODS.index(c.method), c.count, -c.clarity),
    )
    same = next((c for c in clear if (c.method, c.count) == previous), None)
    if same:
        return same, {"key": "reason_kept", **asdict(same)}
    key = "reason"
    if not best.usefulness:
        key = "reason_without_outcomes"
        best = max(clear, key=lambda c: (c.clarity, -METHODS.index(c.method)))
    counts = {"of": len(candidates), "stable": len(stable), "near": len(clear)}
    return best, {"key": key, **counts, **asdict(best)}
