"""Candidates: compared with all their figures, and one selected for a reason."""

from datetime import date

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from analytics.segments import cluster, features, selection
from analytics.segments.report import Segments
from analytics.segments.selection import Candidate
from data.dates import month_end
from data.editions.reader import Warehouse
from tests.segments.support import LAST


def candidate(is_reduced: bool, stability: float, usefulness: float) -> Candidate:
    figures = (usefulness, usefulness, usefulness)
    return Candidate("kmeans", 4, is_reduced, 0.5, stability, 0.1, *figures, seconds=0.0)


def test_the_chosen_candidate_is_stable_over_bootstraps(segments: Segments) -> None:
    chosen = segments.candidates().query("is_chosen")
    assert len(chosen) == 1
    assert chosen["stability"].iloc[0] >= 0.8


def test_the_candidates_are_compared_with_all_their_figures_and_times(segments: Segments) -> None:
    table = segments.candidates()
    same_space = table[table["is_reduced"] == segments.payload["reduced"]]
    assert set(same_space["method"]) == set(cluster.METHODS)
    counts = same_space[same_space["method"] == "kmeans"]["count"]
    assert set(counts) == set(selection.COUNTS)
    figures = table[["silhouette", "stability", "contribution_share", "seconds"]]
    assert figures.notna().all().all()


def test_reduction_is_used_only_where_kmeans_gains_by_it(segments: Segments) -> None:
    kmeans = segments.candidates().query("method == 'kmeans'")
    table = kmeans.groupby("is_reduced")[["stability", "use"]].mean()
    means = table.sum(axis=1)
    assert segments.payload["reduced"] == (means[True] >= means[False])
    sentence = segments.reduction("en")
    for is_reduced in (True, False):
        assert f"{table.loc[is_reduced, 'stability']:.2f}" in sentence


def test_stability_and_usefulness_are_added_up() -> None:
    # 0.9 + 0.3 = 1.2 on the leading components against 0.8 + 0.5 = 1.3 on all of them
    reduced = candidate(True, 0.9, 0.3)
    full = candidate(False, 0.8, 0.5)
    assert not selection.improves([reduced], [full])
    assert selection.improves([full], [reduced])


def test_half_of_the_customers_select_and_the_other_half_validates(
    warehouse: Warehouse, segments: Segments
) -> None:
    base: date = month_end(LAST, -12)
    with warehouse.session() as reader:
        active = int(features.is_active(features.features_at(reader, base)).sum())
        observed = int(features.outcomes_after(reader, base)["contribution"].notna().sum())
    assert segments.payload["seen"] == active // 2
    # at most the customers with a later contribution who took no part in the selection
    validated = segments.validation("abcd").set_index("outcome")["n"]["contribution"]
    assert validated <= observed - segments.payload["seen"] * 0.9


def test_agreement_is_the_adjusted_rand_index() -> None:
    draws = np.random.default_rng(1)
    for one, other in ((3, 5), (2, 2), (7, 1)):
        left = draws.integers(0, one, 500)
        right = draws.integers(0, other, 500)
        right[:200] = left[:200] % other
        expected = adjusted_rand_score(left, right)
        assert cluster.agreement(left, right) == pytest.approx(expected, abs=1e-12)
    assert cluster.agreement(np.zeros(5, dtype=int), np.zeros(5, dtype=int)) == 1
