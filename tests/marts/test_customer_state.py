"""The facts of customers after one more month, on arrays worked out by hand."""

from datetime import date

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.marts.columns import MaskedArray, dates, money, number
from analytics.marts.customer_state import (
    DelinquencyWindow,
    aggregate_loans,
    count_services,
    earliest,
    monthly_flows,
    months_since_income,
    percentile,
    shift_history,
    twelve_month_sums,
)
from data.errors import UserError

NEW = 5
CLASSES = ("normal", "watch", "loss", "no_loan")


def fen(*values: int) -> MaskedArray:
    return money(np.array(values, np.int64))


def numbers(*values: int | None, dtype: type = np.int32) -> MaskedArray:
    """Return a column of numbers; None is null."""
    is_valid = np.array([value is not None for value in values])
    return number(np.array([value or 0 for value in values], dtype), is_valid)


def loans(**columns: MaskedArray) -> dict[str, MaskedArray]:
    """Return five loans.

    The first two are of one customer, the third was settled in the month, the fourth has no row,
    the fifth is of a customer without a slot.
    """
    return {
        "has_row": numbers(1, 1, 1, 0, 1, dtype=bool),
        "is_settled": numbers(0, 0, 1, 0, 0, dtype=bool),
        "is_reopened": numbers(0, 0, 0, 0, 0, dtype=bool),
        "balance": fen(100, 50, 0, 70, 80),
        "interest_received": fen(1, 2, 3, 4, 5),
        "overdue_amount": fen(1, 2, 3, 4, 5),
        "funding_cost": fen(1, 2, 3, 4, 5),
        "expected_loss": fen(1, 2, 3, 4, 5),
        "operating_cost": fen(1, 2, 3, 4, 5),
        "days_past_due": numbers(None, 12, 40, 90, 5),
        "count_instalments_late": numbers(0, 2, 3, 4, 1, dtype=np.int16),
        "product_bit": numbers(2, 1, 0, 4, 4),
        "class_five": numbers(0, 1, 2, 2, 0, dtype=np.uint8),
        **columns,
    }


def by_customer(**columns: MaskedArray) -> dict[str, MaskedArray]:
    slots = np.array([1, 1, 0, 0, -1])
    return aggregate_loans(loans(**columns), slots, 3, {"five": CLASSES})


def test_a_settlement_counts_without_a_row_and_is_taken_back_when_the_loan_is_reopened() -> None:
    # the fourth loan, of customer 0, has no row; the first, of customer 1, is open again
    customers = by_customer(
        is_settled=numbers(0, 0, 1, 1, 1, dtype=bool),
        is_reopened=numbers(1, 0, 0, 0, 0, dtype=bool),
    )
    assert customers["loans_settled"].values.tolist() == [2, -1, 0]


def test_the_loans_of_a_month_are_counted_and_summed_by_borrower() -> None:
    customers = by_customer()
    # customer 1 has 1.00 and 0.50 open; the loan of customer 0 is settled; 2 has none
    assert customers["loans_open"].values.tolist() == [0, 2, 0]
    assert customers["loans_settled"].values.tolist() == [1, 0, 0]
    assert customers["loan_balance"].values.tolist() == [0, 150, 0]
    # 1 + 2 of customer 1; 3 of customer 0: the fourth loan has no row, the fifth no borrower here
    assert customers["interest"].values.tolist() == [3, 3, 0]
    # bits 2 and 1: two families
    assert customers["product_bits"].values.tolist() == [0, 3, 0]


def test_days_past_due_and_class_are_the_worst_of_the_loans_with_a_balance() -> None:
    customers = by_customer()
    # the 40 days and the class 2 of customer 0 are those of a loan without a balance
    assert customers["days_past_due"].fill_null(-1).tolist() == [-1, 12, -1]
    assert customers["count_instalments_late_in_a_row"].values.tolist() == [0, 2, 0]
    worst = customers["worst_five"].fill_null(CLASSES.index("no_loan"))
    assert [CLASSES[code] for code in worst] == ["no_loan", "watch", "no_loan"]


def test_days_past_due_are_null_where_they_are_null_for_every_loan_with_a_balance() -> None:
    days = numbers(None, None, 40, 90, 5)
    assert not by_customer(days_past_due=days)["days_past_due"].is_valid[1]


def test_amounts_of_one_customer_that_no_mart_could_store_stop_the_load() -> None:
    # 6e12 and 4e12 CNY
    with pytest.raises(
        UserError, match="overdue_amount of the loans of one customer add up to 1e13 yuan or more"
    ):
        by_customer(overdue_amount=fen(6 * 10**14, 4 * 10**14, 0, 0, 0))


def test_the_operating_cost_is_that_of_loans_and_that_of_deposits() -> None:
    loan_sums = {
        name: fen(100, 0)
        for name in ("interest", "funding_cost", "expected_loss", "operating_cost")
    }
    deposits = {"margin": fen(0, 9), "operating_cost": fen(50, 50)}
    flows = monthly_flows(loan_sums, {"fees": fen(7, 0)}, deposits)
    # 1.00 for the loan and 0.50 for the deposit; the second customer has a deposit alone
    assert flows["operating_cost"].values.tolist() == [150, 50]
    assert flows["fees"].values.tolist() == [7, 0]


def test_twelve_month_sums_gain_this_month_and_lose_the_month_a_year_ago() -> None:
    amounts = {
        name: fen(30, 30)
        for name in ("interest", "fees", "margin", "funding_cost", "expected_loss")
    }
    month = amounts | {"operating_cost": fen(1, 2)}
    year_ago = amounts | {"operating_cost": fen(4, 0)}
    before = {f"{name}_12m": fen(120, 120) for name in month}
    sums = twelve_month_sums(month, before.__getitem__, year_ago)
    # 120 - 4 + 1 = 117; 120 - 0 + 2 = 122
    assert sums["operating_cost_12m"].values.tolist() == [117, 122]


def test_the_first_loan_is_the_earlier_of_two_dates_whichever_of_them_is_null() -> None:
    first = earliest(
        dates(np.array([10, 30, 0, 0], np.int32), np.array([True, True, False, False])),
        dates(np.array([20, 20, 25, 0], np.int32), np.array([True, True, True, False])),
    )
    assert first.fill_null(-1).tolist() == [10, 20, 25, -1]


def test_delinquency_covers_six_and_twelve_months() -> None:
    window = DelinquencyWindow()
    # customer 0 was 40 days late in November 2025 and 5 in March 2026; customer 1 was 90 days late
    # in August 2025
    window.add(date(2025, 8, 31), np.array([1]), np.array([90]))
    window.add(date(2025, 11, 30), np.array([0]), np.array([40]))
    window.add(date(2026, 3, 31), np.array([0]), np.array([5]))
    facts = window.facts(date(2026, 7, 31), np.array([0, 12]))
    # six months back from July: February to July; twelve: August to July
    assert facts["max_days_past_due_6m"].values.tolist() == [5, 12]
    assert facts["months_past_due_6m"].values.tolist() == [1, 1]
    assert facts["max_days_past_due_12m"].values.tolist() == [40, 90]
    assert facts["months_past_due_12m"].values.tolist() == [2, 2]


def test_a_month_end_a_year_before_is_no_longer_counted() -> None:
    window = DelinquencyWindow()
    window.add(date(2025, 8, 31), np.array([0]), np.array([90]))
    facts = window.facts(date(2026, 8, 31), np.array([0]))
    assert facts["max_days_past_due_12m"].values.tolist() == [0]


def test_months_since_income_grow_by_one_and_restart_where_income_was_booked() -> None:
    # Two kinds, four bits each. First customer: kind 0 eleven months ago, kind 1 never (15): 0xFB.
    # The second customer is new.
    before = number(np.array([0xFB, 0], np.uint64), np.array([True, False]))
    # kind 1 of the second customer brought income two months ago, delivered now
    months = months_since_income(before, [numbers(None, None), numbers(None, 2)])
    # 11 + 1 = 12, 15 stays 15; 15 and 2
    assert months.values.tolist() == [0xFC, 0x2F]
    # within twelve months: 12 is not, 2 is
    assert count_services(months, 2).tolist() == [0, 1]


def test_income_delivered_late_does_not_hide_more_recent_income() -> None:
    before = number(np.array([0x3], np.uint64))
    assert months_since_income(before, [numbers(40)]).values.tolist() == [0x4]


def test_a_percentile_is_the_share_of_other_customers_with_less() -> None:
    # of four others 0, 1, 1 and 3 have less, of the last 4: 0, 25, 25, 75, 100 %
    assert percentile(np.array([5, 7, 7, 8, 9])).values.tolist() == [0, 25, 25, 75, 100]


def test_a_percentile_is_rounded_down_without_the_error_of_a_double() -> None:
    # 101 customers: the one with 29 below is at 29 %; 100 × (29 / 100) in doubles is 28.999…
    assert percentile(np.arange(101)).values.tolist() == list(range(101))
    # two of three others have less: 66.6 %
    assert percentile(np.array([1, 2, 3, 4])).values.tolist() == [0, 33, 66, 100]


@pytest.mark.parametrize("amounts", [[], [3], [3, 3]])
def test_the_percentile_is_zero_when_nobody_has_less(amounts: list[int]) -> None:
    assert percentile(np.array(amounts, np.int64)).values.tolist() == [0] * len(amounts)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=60))
def test_a_percentile_equals_that_of_a_window_function(amounts: list[int]) -> None:
    sql = (
        "select v, 100 * (rank() over (order by v) - 1) // (count(*) over () - 1) as share "
        "from unnest($a) as t(v)"
    )
    shares = dict(duckdb.execute(sql, {"a": amounts}).fetchall())
    assert percentile(np.array(amounts)).values.tolist() == [shares[amount] for amount in amounts]


def test_a_history_shifts_by_four_bits_and_takes_the_class_of_last_month() -> None:
    before = number(np.array([0x3, 0], np.uint64), np.array([True, False]))
    history = shift_history(before, numbers(2, None, dtype=np.uint8), NEW)
    # 3 moves up, 2 follows; a new customer was new in all thirteen months
    assert history.values.tolist() == [0x32, 0x5555555555555]


def test_a_history_drops_classes_of_more_than_twelve_months_ago() -> None:
    # thirteen classes: the highest is dropped, twelve move up
    before = number(np.array([0x9111111111111], np.uint64))
    history = shift_history(before, numbers(2, dtype=np.uint8), NEW)
    assert history.values.tolist() == [0x1111111111112]
