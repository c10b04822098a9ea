"""What a month adds to the state of loans, on arrays that can be worked out by hand. Days are small numbers."""

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.marts.columns import MaskedArray, dates, money, number
from analytics.marts.loan_state import (
    ClassValues,
    Days,
    arrears,
    costs,
    is_behind,
    judged,
    product_bits,
    reached,
    rounded,
    still_open,
    totals,
)

# The month ends on day 90, the one before on day 60.
DAYS = Days(as_of=90, previous=60, judged_after=0, judged_since=60)
NOTHING_CAME = {
    "place": np.array([], int),
    "amount": np.array([], int),
    "is_prepaid": np.array([], bool),
}
NOTHING_OPEN = {
    name: np.array([], int)
    for name in (
        "place",
        "number",
        "due_on",
        "principal",
        "interest",
        "due_total",
        "due_principal_total",
        "paid",
    )
}


def fen(*values: int | None) -> MaskedArray:
    return money(told(*values).values.astype(np.int64)) if None not in values else told(*values)


def told(*values: int | None) -> MaskedArray:
    return number(
        np.array([value or 0 for value in values]),
        np.array([value is not None for value in values]),
    )


def day(*values: int | None) -> MaskedArray:
    return dates(told(*values).values.astype(np.int32), told(*values).known)


def flags(*values: bool) -> MaskedArray:
    return number(np.array(values))


def rows(**columns: list[int]) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in columns.items()}


def loan(**columns: MaskedArray) -> dict[str, MaskedArray]:
    """One loan as the month before left it: 100.00 due and 100.00 paid, a row, never written off."""
    return {
        "loan_key": told(1),
        "has_row": flags(True),
        "first_due_on": day(30),
        "written_off_on": day(None),
        "due_total": fen(10_000),
        "due_principal_total": fen(9_000),
        "paid_total": fen(10_000),
        "prepaid_total": fen(0),
    } | columns


DUE = rows(place=[0], number=[2], due_on=[70], principal=[9_000], interest=[1_000])


def test_what_falls_due_and_what_comes_is_added_to_the_month_before():
    came = rows(place=[0, 0], amount=[4_000, 2_000], is_prepaid=[False, True])
    found = totals(loan(), DUE, came, DAYS)
    # 100 + 90 + 10 due, 90 + 90 of it principal; 100 + 40 paid; 20 prepaid
    assert [
        found[name].values[0]
        for name in ("due_total", "due_principal_total", "paid_total", "prepaid_total")
    ] == [
        20_000,
        18_000,
        14_000,
        2_000,
    ]
    assert not found["is_recounted"].values[0]


def test_a_reversal_recounts_what_the_month_before_held_as_paid():
    came = rows(place=[0], amount=[-4_000], is_prepaid=[False])
    assert totals(loan(), DUE, came, DAYS)["is_recounted"].values.tolist() == [True]


def test_an_instalment_handed_over_late_recounts_the_loan():
    late = DUE | rows(due_on=[55])
    assert totals(loan(), late, NOTHING_CAME, DAYS)["is_recounted"].values.tolist() == [True]


def test_a_loan_written_off_rests_until_money_comes():
    written = loan(written_off_on=day(50))
    nothing_due = {name: values[:0] for name, values in DUE.items()}
    assert totals(written, nothing_due, NOTHING_CAME, DAYS)["is_resting"].values.tolist() == [True]
    came = rows(place=[0], amount=[1], is_prepaid=[False])
    found = totals(written, nothing_due, came, DAYS)
    assert (found["is_resting"].values[0], found["is_recounted"].values[0]) == (False, True)


def behind(paid: int) -> dict[str, MaskedArray]:
    came = rows(place=[0], amount=[paid], is_prepaid=[False])
    return totals(loan(), DUE, came, DAYS) | reached(
        {name: day(None) for name in ("closes_on", "ends_on", "writes_off_on", "restructures_on")},
        DAYS,
    )


@pytest.mark.parametrize(("paid", "is_open"), [(9_999, True), (10_000, False)])
def test_a_loan_is_behind_until_the_last_fen_due_is_paid(paid, is_open):
    assert is_behind(behind(paid), DAYS).tolist() == [is_open]


def test_payments_cover_the_oldest_instalment_first_and_interest_before_principal():
    # Two instalments of 90 + 10 since the month before; of 200 due since, 105 came: the first is paid, of the second 5,
    # all of it interest.
    due = rows(
        place=[0, 0], number=[3, 2], due_on=[85, 70], principal=[9_000] * 2, interest=[1_000] * 2
    )
    came = rows(place=[0], amount=[10_500], is_prepaid=[False])
    now = totals(loan(), due, came, DAYS)
    open_now = still_open(NOTHING_OPEN, due, loan(), now, np.array([False]))
    assert open_now["number"].tolist() == [3]
    assert open_now["due_total"].tolist() == [30_000]
    assert open_now["paid"].tolist() == [500]
    found = arrears(open_now, now, DAYS)
    # 95 are late since day 85; the principal of the two paid ones is 180
    assert found["late_amount"].values.tolist() == [9_500]
    assert found["oldest_open_on"].values.tolist() == [85]
    assert found["count_open_late"].values.tolist() == [1]
    assert found["principal_paid_total"].values.tolist() == [18_000]


def test_an_instalment_due_on_the_month_end_is_not_late_but_owed():
    due = DUE | rows(due_on=[90])
    now = totals(loan(), due, NOTHING_CAME, DAYS)
    open_now = still_open(NOTHING_OPEN, due, loan(), now, np.array([False]))
    found = arrears(open_now, now, DAYS)
    assert found["count_open_late"].values.tolist() == [0]
    assert not found["oldest_open_on"].known[0]
    assert found["principal_paid_total"].values.tolist() == [9_000]


def test_a_first_payment_is_judged_in_the_month_in_which_its_thirty_days_end():
    # due on day 30, 31 and 60: over on day 60 (the month before), 61 and 90
    assert judged({"first_due_on": day(30, 31, 60, 61, None)}, DAYS).tolist() == [1, 2]


def test_a_date_that_has_not_come_is_not_known_yet():
    known = {
        name: day(90, 91) for name in ("closes_on", "ends_on", "writes_off_on", "restructures_on")
    }
    assert reached(known, DAYS)["closed_on"].known.tolist() == [True, False]


def test_a_loan_costs_what_its_class_and_the_assumptions_say():
    values = ClassValues(np.array([0, 1.0]), np.array([0.02, 0.5]), np.array([0.01, 0.25]))
    rates = {
        "funding_rate": 0.03,
        "lgd_secured": 0.2,
        "lgd_unsecured": 0.6,
        "operating_cost_loan": 12.5,
    }
    loans = {
        "balance": fen(120_000, 120_000, 0),
        "funding_rate": number(np.zeros(3, int), np.zeros(3, bool)),
    }
    found = costs(loans, np.array([0, 1, 1]), values, np.array([True, False, False]), rates)
    # 1,200 × 1 % = 12; × 25 % = 300
    assert found["provision"].values.tolist() == [1_200, 30_000, 0]
    # 1,200 × 3 % / 12 = 3
    assert found["funding_cost"].values.tolist() == [300, 300, 0]
    # 1,200 × 2 % × 0.2 / 12 = 0.40; 1,200 × 50 % × 0.6 / 12 = 30
    assert found["expected_loss"].values.tolist() == [40, 3_000, 0]
    assert found["operating_cost"].values.tolist() == [1_250, 1_250, 0]
    # without a balance a loan is neither performing nor not
    assert found["is_npl"].values[:2].tolist() == [False, True]
    assert found["is_npl"].known.tolist() == [True, True, False]


def test_a_loan_without_a_balance_counts_for_no_family():
    loans = {"balance": fen(1, 0), "product_key": told(2, 2)}
    # product 2 is of family 3: the fourth bit
    assert product_bits(loans, np.array([0, 0, 3])).values.tolist() == [8, 0]


def test_half_a_fen_is_rounded_up():
    assert rounded(np.array([0.005, 0.0049, 1.115, 2.675])).tolist() == [1, 0, 112, 268]


@given(st.integers(0, 10**11), st.integers(0, 4_000))
def test_amounts_are_rounded_as_a_query_rounds_them(balance, rate):
    amount = balance / 100 * (rate / 10_000) / 12
    [asked] = duckdb.execute(
        "select (round($a + 5e-10, 2)::decimal(15, 2) * 100)::bigint", {"a": amount}
    ).fetchall()
    assert rounded(np.array([amount])).tolist() == list(asked)
