"""Segments against classes: judged out of time, with intervals, on worked numbers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from analytics.segments import evaluation, store
from analytics.segments.report import Segments
from data.demo import hidden_misgraded, hidden_types
from data.editions.reader import Warehouse
from tests.segments.support import CUSTOMERS, SEED, customer_ids


def outcomes_of(overdue: np.ndarray | list[float], contribution: float = np.nan) -> pd.DataFrame:
    return pd.DataFrame({"overdue": overdue, "reloan": np.nan, "contribution": contribution})


def test_segments_agree_with_the_hidden_types(warehouse: Warehouse, segments: Segments) -> None:
    members = store.members(warehouse.home, segments.payload)
    customers, types = hidden_types(CUSTOMERS, SEED)
    type_of = pd.Series(types, customers)
    hidden = members["customer_key"].map(customer_ids(warehouse)).map(type_of)
    has_type = hidden.notna()
    assert adjusted_rand_score(hidden[has_type], members["segment"][has_type]) >= 0.6


@pytest.mark.parametrize(("kind", "position"), [("bad_in_good", 0), ("good_in_bad", 1)])
def test_the_misgraded_are_five_times_as_frequent_on_the_lists(
    warehouse: Warehouse, segments: Segments, kind: str, position: int
) -> None:
    misgraded = set(hidden_misgraded(CUSTOMERS, SEED)[position])
    everybody = customer_ids(warehouse)
    disagreements = segments.disagreements(warehouse, "abcd", kind)
    customers = disagreements.customers["customer_key"].map(everybody)
    # share of the list against share of the bank
    assert customers.isin(misgraded).mean() >= 5 * everybody.isin(misgraded).mean()


def test_the_segments_order_later_overdue_and_add_to_the_classes(segments: Segments) -> None:
    overdue = segments.validation("abcd").set_index("outcome").loc["overdue"]
    assert overdue["both_auc"] > overdue["class_auc"]
    assert overdue["gain_low"] > 0
    assert overdue["verdict"] == "adds"
    assert "增量" in segments.verdict("abcd", "zh-CN")


def test_random_segments_add_nothing() -> None:
    draws = np.random.default_rng(3)
    classes = pd.Series(draws.choice(["A", "B"], 4_000))
    y = (draws.random(4_000) < np.where(classes == "A", 0.05, 0.2)).astype(float)
    row = evaluation.validation(draws.integers(0, 5, 4_000), classes, outcomes_of(y), 7)[0]
    assert row["verdict"] == "nothing"
    assert row["class_auc"] > 0.6
    assert abs(row["segment_auc"] - 0.5) < 0.06


def test_auc_of_two_classes_by_hand() -> None:
    # Class B holds 80 of the 100 bad and 100 of the 300 good. AUC = P(B|bad)·P(A|good) + ties/2
    # = 0.8·2/3 + (0.8·1/3 + 0.2·2/3)/2 = 0.5333 + 0.2 = 0.7333; KS = 0.8 − 1/3
    classes = pd.Series(["A"] * 220 + ["B"] * 180)
    y = np.array([1.0] * 20 + [0] * 200 + [1] * 80 + [0] * 100)
    row = evaluation.validation(np.zeros(400, dtype=int), classes, outcomes_of(y), 7)[0]
    # each fold has rates of its own, which costs a little
    assert row["class_auc"] == pytest.approx(0.7333, abs=0.03)
    assert row["class_ks"] == pytest.approx(0.4667, abs=0.03)
    assert row["gain"] == pytest.approx(0, abs=0.01)


def test_rates_have_lift_interval_and_n_by_hand() -> None:
    outcomes = outcomes_of([1.0] * 30 + [0] * 170, contribution=10.0)
    rates = evaluation.rates(np.repeat([0, 1], 100), ["x", "y"], outcomes)
    # 30 % against 15 % of all: twice as often
    assert rates["x"]["lift"] == pytest.approx(2)
    # Wilson interval of 30 in 100
    interval = (rates["x"]["overdue"]["low"], rates["x"]["overdue"]["high"])
    assert interval == pytest.approx((0.2189, 0.3958), abs=1e-4)
    assert (rates["x"]["verdict"], rates["y"]["verdict"]) == ("bad", "good")
    assert rates["x"]["contribution"]["rate"] == pytest.approx(10)


def test_with_one_class_only_the_segments_are_evaluated_alone() -> None:
    draws = np.random.default_rng(5)
    labels = draws.integers(0, 2, 2_000)
    y = (draws.random(2_000) < np.where(labels, 0.3, 0.1)).astype(float)
    rows = evaluation.validation(labels, pd.Series(["unrated"] * 2_000), outcomes_of(y), 7)
    assert rows[0]["verdict"] == "one_class"
    assert rows[0]["segment_auc"] > 0.55
    assert rows[1]["verdict"] == "too_few"
