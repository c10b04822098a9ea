"""What a month adds to the facts of customers, on arrays that can be worked out by hand."""

from datetime import date

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.marts.columns import MaskedArray, dates, money, number
from analytics.marts.customer_grades import threshold_bucket
from analytics.marts.customer_state import (
    DelinquencyWindow,
    earliest,
    flows,
    history,
    of_loans,
    percentile,
    services,
    services_held,
    twelve_months,
)
from data.errors import UserError

NEW = 5


def fen(*values: int) -> MaskedArray:
    return money(np.array(values, np.int64))


def told(*values: int | None, kind=np.int32) -> MaskedArray:
    """A column of numbers, None where nothing is known."""
    return number(
        np.array([value or 0 for value in values], kind),
        np.array([value is not None for value in values]),
    )


CLASSES = ("normal", "watch", "loss", "no_loan")


def loans(**other: MaskedArray) -> dict[str, MaskedArray]:
    """Five loans. The first two are of one customer, the third was settled in the month, the fourth has no row, the
    fifth is of a customer without a place.
    """
    count = 5
    sums = (
        "interest_received",
        "overdue_amount",
        "funding_cost",
        "expected_loss",
        "operating_cost",
    )
    return {
        "has_row": told(1, 1, 1, 0, 1, kind=bool),
        "is_settled": told(0, 0, 1, 0, 0, kind=bool),
        "balance": fen(100, 50, 0, 70, 80),
        **{name: fen(*range(1, count + 1)) for name in sums},
        "days_past_due": told(None, 12, 40, 90, 5),
        "count_instalments_late": told(0, 2, 3, 4, 1, kind=np.int16),
        "product_bit": told(2, 1, 0, 4, 4),
        "class_five": told(0, 1, 2, 2, 0, kind=np.uint8),
        **other,
    }


def by_customer(**other: MaskedArray) -> dict[str, MaskedArray]:
    return of_loans(loans(**other), np.array([1, 1, 0, 0, -1]), 3, {"five": CLASSES})


def test_a_months_loans_are_counted_and_summed_for_their_borrowers():
    found = by_customer()
    # customer 1 has 1.00 and 0.50 open; that of customer 0 is settled; 2 has none
    assert found["loans_open"].values.tolist() == [0, 2, 0]
    assert found["loans_settled"].values.tolist() == [1, 0, 0]
    assert found["loan_balance"].values.tolist() == [0, 150, 0]
    # 1 + 2 of customer 1; 3 of customer 0: the fourth loan has no row, the fifth no borrower here
    assert found["interest"].values.tolist() == [3, 3, 0]
    # bits 2 and 1: two families
    assert found["product_bits"].values.tolist() == [0, 3, 0]


def test_days_and_classes_are_the_worst_of_the_loans_with_a_balance():
    found = by_customer()
    # the 40 days and the class 2 of customer 0 are those of a loan that owes nothing any more
    assert found["days_past_due"].filled(-1).tolist() == [-1, 12, -1]
    assert found["count_instalments_late_in_a_row"].values.tolist() == [0, 2, 0]
    worst = found["worst_five"]
    assert [CLASSES[n] for n in worst.filled(CLASSES.index("no_loan"))] == [
        "no_loan",
        "watch",
        "no_loan",
    ]


def test_days_are_not_known_where_they_are_known_of_no_loan_with_a_balance():
    assert not by_customer(days_past_due=told(None, None, 40, 90, 5))["days_past_due"].is_known[1]


def test_loans_of_one_customer_that_no_mart_could_hold_stop_the_load():
    # 6e12 and 4e12 yuan
    with pytest.raises(
        UserError, match="overdue_amount of the loans of one customer add up to 1e13 yuan or more"
    ):
        by_customer(overdue_amount=fen(6 * 10**14, 4 * 10**14, 0, 0, 0))


def test_an_operating_cost_is_that_of_loans_and_that_of_deposits():
    borrowed = {
        name: fen(100, 0)
        for name in ("interest", "funding_cost", "expected_loss", "operating_cost")
    }
    month = flows(
        borrowed, {"fees": fen(7, 0)}, {"margin": fen(0, 9), "operating_cost": fen(50, 50)}
    )
    # 1.00 for the loan and 0.50 for the deposit; the second has a deposit alone
    assert month["operating_cost"].values.tolist() == [150, 50]
    assert month["fees"].values.tolist() == [7, 0]


def test_twelve_months_gain_this_month_and_lose_the_month_a_year_ago():
    amounts = {
        name: fen(30, 30)
        for name in ("interest", "fees", "margin", "funding_cost", "expected_loss")
    }
    month = amounts | {"operating_cost": fen(1, 2)}
    year_ago = amounts | {"operating_cost": fen(4, 0)}
    sums = {f"{name}_12m": fen(120, 120) for name in month}
    # 120 - 4 + 1 = 117; 120 - 0 + 2 = 122
    assert twelve_months(month, sums.__getitem__, year_ago)[
        "operating_cost_12m"
    ].values.tolist() == [117, 122]


def test_the_first_loan_is_the_earlier_of_two_days_and_the_one_that_is_known():
    found = earliest(
        dates(np.array([10, 30, 0, 0], np.int32), np.array([True, True, False, False])),
        dates(np.array([20, 20, 25, 0], np.int32), np.array([True, True, True, False])),
    )
    assert found.filled(-1).tolist() == [10, 20, 25, -1]


def test_lateness_looks_back_over_six_and_twelve_months():
    late = DelinquencyWindow()
    # customer 0 was 40 days late in November 2025, 5 in March 2026; customer 1 was 90 days late in August 2025
    late.keep(date(2025, 8, 31), np.array([1]), np.array([90]))
    late.keep(date(2025, 11, 30), np.array([0]), np.array([40]))
    late.keep(date(2026, 3, 31), np.array([0]), np.array([5]))
    found = late.facts(date(2026, 7, 31), np.array([0, 12]))
    # six months back from July: February to July; twelve: August to July
    assert found["max_days_past_due_6m"].values.tolist() == [5, 12]
    assert found["months_past_due_6m"].values.tolist() == [1, 1]
    assert found["max_days_past_due_12m"].values.tolist() == [40, 90]
    assert found["months_past_due_12m"].values.tolist() == [2, 2]


def test_a_month_end_a_year_before_is_no_longer_counted():
    late = DelinquencyWindow()
    late.keep(date(2025, 8, 31), np.array([0]), np.array([90]))
    assert late.facts(date(2026, 8, 31), np.array([0]))[
        "max_days_past_due_12m"
    ].values.tolist() == [0]


def test_services_grow_a_month_older_and_young_where_they_brought_income():
    # two kinds, four bits each. First customer: kind 0 eleven months ago, kind 1 never (15): 0xFB. Second: not known.
    before = number(np.array([0xFB, 0], np.uint64), np.array([True, False]))
    # the second customer's kind 1 brought income two months ago, known now
    found = services(before, [told(None, None), told(None, 2)])
    # 11 + 1 = 12, 15 stays 15; 15 and 2
    assert found.values.tolist() == [0xFC, 0x2F]
    # within twelve months: 12 is not, 2 is
    assert services_held(found, 2).tolist() == [0, 1]


def test_older_income_that_comes_to_be_known_late_does_not_make_a_service_older():
    before = number(np.array([0x3], np.uint64))
    assert services(before, [told(40)]).values.tolist() == [0x4]


def test_a_percentile_is_the_share_of_the_others_with_less():
    # of four others 0, 1, 1 and 3 have less, of the last 4: 0, 25, 25, 75, 100 %
    assert percentile(np.array([5, 7, 7, 8, 9])).values.tolist() == [0, 25, 25, 75, 100]


def test_a_percentile_is_rounded_down_and_never_by_an_error_of_a_double():
    # 101 customers: the one with 29 below is at 29 %; 100 × (29 / 100) in doubles is 28.999…
    assert percentile(np.arange(101)).values.tolist() == list(range(101))
    # two of three others have less: 66.6 %
    assert percentile(np.array([1, 2, 3, 4])).values.tolist() == [0, 33, 66, 100]


@pytest.mark.parametrize("amounts", [[], [3], [3, 3]])
def test_without_anybody_below_the_percentile_is_nought(amounts):
    assert percentile(np.array(amounts, np.int64)).values.tolist() == [0] * len(amounts)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=60))
def test_a_percentile_is_what_a_window_function_says(amounts):
    asked = "select v, 100 * (rank() over (order by v) - 1) // (count(*) over () - 1) as share from unnest($a) as t(v)"
    shares = dict(duckdb.execute(asked, {"a": amounts}).fetchall())
    assert percentile(np.array(amounts)).values.tolist() == [shares[amount] for amount in amounts]


def test_a_history_moves_up_by_four_bits_and_takes_last_months_class():
    before = number(np.array([0x3, 0], np.uint64), np.array([True, False]))
    found = history(before, told(2, None, kind=np.uint8), NEW)
    # 3 moves up, 2 comes; who is new was new in all thirteen months
    assert found.values.tolist() == [0x32, 0x5555555555555]


def test_a_history_forgets_what_is_more_than_twelve_months_ago():
    # thirteen classes: the highest goes, eleven move up and stay
    before = number(np.array([0x9111111111111], np.uint64))
    assert history(before, told(2, kind=np.uint8), NEW).values.tolist() == [0x1111111111112]


def test_values_that_no_rule_can_tell_apart_are_on_one_side():
    # a rule names 30 and 60: below, at, between, at, above
    found = threshold_bucket(number(np.array([0, 29, 30, 31, 59, 60, 61, 900])), {30, 60})
    assert found.tolist() == [0, 0, 1, 2, 2, 3, 4, 4]


def test_a_bound_of_money_is_compared_in_fen():
    # 0.5 CNY are 50 fen
    assert threshold_bucket(fen(49, 50, 51), {0.5}).tolist() == [0, 1, 2]


def test_a_bound_between_two_fen_has_only_two_sides():
    assert threshold_bucket(fen(100, 101), {"1.005"}).tolist() == [0, 2]


def test_what_is_not_known_is_on_a_side_of_its_own():
    assert threshold_bucket(told(0, None), {0}).tolist() == [1, -1]
    assert threshold_bucket(told(1, None, 0, kind=np.uint8), set()).tolist() == [1, -1, 0]
