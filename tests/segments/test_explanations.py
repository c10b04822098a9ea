"""Explanations of segments: profiles, drivers, the tree."""

import numpy as np
import pandas as pd
import pytest

from analytics.i18n.text import LANGUAGES
from analytics.segments import explain, feature_space, features
from analytics.segments.report import Segments


def test_drivers_are_the_largest_parts_of_how_much_nearer_the_centre_is(
    frame: pd.DataFrame,
) -> None:
    few = frame.iloc[:300]
    space = feature_space.fit_space(few)
    full = space.full(few)
    labels = (full[:, 0] > 0).astype(int)
    centres = explain.centres_of(full, labels, 2)
    positions, contributions = explain.drivers(few, labels, space, centres)
    assert (contributions[:, 0] >= contributions[:, 1]).all()
    assert (positions[contributions > 0] >= 0).all()
    z = full - np.array(space.centre)
    c = centres[labels]
    positive = np.clip(z * c - c**2 / 2, 0, None).sum(axis=1)
    assert (contributions.sum(axis=1) <= positive + 1e-3).all()


def test_the_tree_has_a_fidelity_and_its_leaves_have_words(segments: Segments) -> None:
    tree = segments.payload["tree"]
    assert 0.7 < tree["fidelity"] <= 1
    for lang in LANGUAGES:
        assert all(segments.leaf(leaf, lang) for leaf in tree["leaves"])


@pytest.mark.parametrize(
    ("feature", "value", "sign", "lang", "words"),
    [
        ("products_held", 2.5, ">", "en", "Products held ≥ 3"),
        ("products_held", 2.5, "<=", "en", "Products held ≤ 2"),
        ("fee_times", 0.5, "<=", "en", "Fee bookings = 0"),
        ("payroll", 0.5, ">", "zh-CN", "代发工资为是"),
    ],
)
def test_a_rule_of_the_tree_counts_in_whole_numbers(
    segments: Segments, feature: str, value: float, sign: str, lang: str, words: str
) -> None:
    step = {"fact": feature, "code": None, "sign": sign, "value": value}
    assert segments.leaf({"path": [step]}, lang) == words


def test_the_profile_is_in_the_features_own_units(segments: Segments, frame: pd.DataFrame) -> None:
    members = segments.members.set_index("customer_key")["segment"].astype(str)
    code = segments.order[0]
    own = frame[frame["customer_key"].map(members) == code]
    rows = segments.profile().set_index(["segment", "fact"])
    row = rows.loc[(code, "deposits")]
    assert row["value"] == pytest.approx(own["deposits"].median())
    assert row["bank"] == pytest.approx(frame["deposits"][features.is_active(frame)].median())


def test_a_profile_has_medians_and_quartiles_of_active_customers_by_hand(
    frame: pd.DataFrame,
) -> None:
    few = frame[features.is_active(frame)].iloc[:300].copy()
    labels = np.repeat([0, 1, -1], [100, 150, 50])
    few["loan_balance"] = np.r_[np.arange(100.0), np.full(150, 500.0), np.full(50, 1e9)]
    few["payroll"] = np.r_[np.ones(25), np.zeros(75), np.ones(150), np.ones(50)]
    space = feature_space.fit_space(few[labels >= 0])
    rows = explain.profile(few, labels, 2, space)
    row_of = {(row["fact"], row["segment"]): row for row in rows}
    balance = row_of["loan_balance", 0]
    # of 0 … 99 the median is 49.5, the quartiles are 24.75 and 74.25
    assert (balance["value"], balance["low"], balance["high"]) == (49.5, 24.75, 74.25)
    # the median of the 250 active customers
    assert (balance["bank"], balance["n"]) == (500, 100)
    # yes for 25 of 100, and for 175 of all 250
    payroll = row_of["payroll", 0]
    assert (payroll["value"], payroll["bank"]) == (0.25, 0.7)
    assert payroll["height"] < 0 < row_of["payroll", 1]["height"]
