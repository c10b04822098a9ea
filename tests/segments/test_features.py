"""Features and outcomes of customers: worked numbers, and what happens to unusable features."""

import numpy as np
import pandas as pd
import pytest

from analytics.segments import cluster, definitions, feature_space, features
from analytics.sql import templates
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.segments.support import LAST, scalar

YEAR_BEFORE = month_end(LAST, -12)


def test_features_of_one_customer_are_those_counted_by_hand(
    warehouse: Warehouse, frame: pd.DataFrame
) -> None:
    has_few_loan_months = frame["months_with_loan"].between(0.3, 0.9)
    row = frame[has_few_loan_months & frame["paid_on_time"].notna()].iloc[0]
    customer = {"key": int(row["customer_key"]), "since": YEAR_BEFORE, "last": LAST}
    months = "from customer_month where customer_key = $key and as_of > $since and as_of <= $last"
    share = scalar(
        warehouse, f"select avg(case when has_loan then 1.0 else 0 end) {months}", **customer
    )
    balance = scalar(warehouse, f"select avg(loan_balance) {months}", **customer)
    fees = scalar(
        warehouse,
        "select coalesce(sum(amount), 0) from income where customer_key = $key "
        "and booked_on > $since and booked_on <= $last",
        **customer,
    )
    assert row["months_with_loan"] == pytest.approx(share)
    assert row["loan_balance"] == pytest.approx(float(balance))
    assert row["fees"] == pytest.approx(float(fees))


def test_features_read_twice_are_the_same_to_the_last_digit(
    warehouse: Warehouse, frame: pd.DataFrame
) -> None:
    """Sums of doubles would depend on the order in which threads read the rows."""
    with warehouse.session() as reader:
        for _ in range(3):
            again = features.features_at(reader, LAST)
            pd.testing.assert_frame_equal(again, frame, check_exact=True)


def test_the_swing_of_deposits_is_their_standard_deviation_over_their_mean(
    warehouse: Warehouse, frame: pd.DataFrame
) -> None:
    row = frame[frame["deposit_swing"] > 0.05].iloc[0]
    balances = warehouse.query(
        "select balance::double as balance from deposit_balance where customer_key = $key "
        "and as_of > $since and as_of <= $last",
        key=int(row["customer_key"]),
        since=YEAR_BEFORE,
        last=LAST,
    )["balance"]
    assert row["deposit_swing"] == pytest.approx(balances.std(ddof=0) / balances.mean())


def test_no_feature_uses_days_past_due_or_a_class(frame: pd.DataFrame) -> None:
    sql = "\n".join(
        line
        for line in templates.load("segments/features").splitlines()
        if not line.startswith("--") and "days_past_due = 0" not in line
    )
    assert "past_due" not in sql
    assert not any(scheme in sql.split() for scheme in ("abcd", "loan_five", "credit_grade"))
    assert set(frame.columns) == {"customer_key", *definitions.FEATURES}


def test_overdue_is_observed_only_for_customers_in_order_with_a_later_balance(
    warehouse: Warehouse,
) -> None:
    with warehouse.session() as reader:
        outcomes = features.outcomes_after(reader, YEAR_BEFORE)
        by_hand = scalar(
            reader,
            "select count(*) from customer_month as now where as_of = $base "
            "and days_past_due <= 30 and exists (select 1 from customer_month as later "
            "where later.customer_key = now.customer_key and later.as_of > $base "
            "and later.as_of <= $last and later.has_loan)",
            base=YEAR_BEFORE,
            last=LAST,
        )
    assert outcomes["overdue"].notna().sum() == by_hand
    assert outcomes["overdue"].sum() > 0


def test_constant_missing_and_infinite_features_are_noted_and_the_others_used(
    frame: pd.DataFrame,
) -> None:
    spoiled = frame.assign(
        tenure=5.0, fees=np.nan, deposit_trend=np.where(frame.index % 50 == 0, np.inf, 0.1)
    )
    spoiled["loan_size"] = frame["loan_size"].where(frame.index % 7 > 0, np.inf)
    space = feature_space.fit_space(spoiled)
    note_of = {note["fact"]: note["key"] for note in space.notes}
    assert note_of["tenure"] == "note_constant"
    assert note_of["fees"] == "note_missing"
    assert note_of["loan_size"] == "note_infinite"
    assert np.isfinite(space.reduced(spoiled)).all()


def test_features_that_are_the_same_for_everybody_are_refused(frame: pd.DataFrame) -> None:
    flat = pd.DataFrame({id: [frame[id].iloc[0]] * 300 for id in definitions.FEATURES})
    with pytest.raises(UserError, match="Only 0 facts differ"):
        feature_space.fit_space(flat)


def test_features_of_tables_that_are_missing_are_left_out(frame: pd.DataFrame) -> None:
    missing = {
        feature.id: None if feature.is_category else np.nan
        for feature in definitions.FEATURES.values()
        if {"deposit_balance", "income"} & set(feature.needs)
    }
    without = frame.assign(**missing)
    space = feature_space.fit_space(without)
    assert not {"deposits", "fees", "fee_kind"} & {axis.fact for axis in space.axes}
    x = space.reduced(without)
    model = cluster.fit("kmeans", 4, x, 7)
    assert model is not None
    assert len(np.unique(model.assign(x))) == 4
