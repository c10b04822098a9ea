"""Allocation of payments in one month, on arrays worked out by hand. Days are small numbers."""

import numpy as np
import pytest

from analytics.marts.columns import MaskedArray, dates, money, number
from analytics.marts.loan_allocation import (
    MonthDays,
    arrears,
    dates_effective,
    first_payment_assessed,
    has_unpaid_due,
    open_instalments,
    running_totals,
)

# The month ends on day 90, the one before on day 60.
DAYS = MonthDays(as_of=90, previous=60, quarter_before=0, assessed_since=60)
SOURCE_DATES = ("closes_on", "ends_on", "writes_off_on", "restructures_on")
NO_PAYMENTS = {
    "slot": np.array([], int),
    "amount": np.array([], int),
    "is_prepaid": np.array([], bool),
}
INSTALMENT_COLUMNS = (
    "slot",
    "number",
    "due_on",
    "principal",
    "interest",
    "due_total",
    "due_principal_total",
    "paid",
)
NO_INSTALMENTS = {name: np.array([], int) for name in INSTALMENT_COLUMNS}


def fen(*values: int) -> MaskedArray:
    return money(np.array(values, np.int64))


def day(*values: int | None) -> MaskedArray:
    is_valid = np.array([value is not None for value in values])
    return dates(np.array([value or 0 for value in values], np.int32), is_valid)


def rows(**columns: list) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in columns.items()}


def loan(**columns: MaskedArray) -> dict[str, MaskedArray]:
    """Return a loan after the month before: 100.00 due and paid, with a row, not written off."""
    return {
        "loan_key": number(np.array([1])),
        "has_row": number(np.array([True])),
        "first_due_on": day(30),
        "written_off_on": day(None),
        "due_total": fen(10_000),
        "due_principal_total": fen(9_000),
        "paid_total": fen(10_000),
        "prepaid_total": fen(0),
    } | columns


DUE = rows(slot=[0], number=[2], due_on=[70], principal=[9_000], interest=[1_000])
NOTHING_DUE = {name: values[:0] for name, values in DUE.items()}


def is_flagged(columns: dict[str, MaskedArray], name: str) -> bool:
    """Return a flag of the only loan."""
    [flag] = columns[name].values.tolist()
    return flag


def test_instalments_due_and_payments_are_added_to_the_totals_of_the_month_before() -> None:
    payments = rows(slot=[0, 0], amount=[4_000, 2_000], is_prepaid=[False, True])
    totals = running_totals(loan(), DUE, payments, DAYS)
    # 100 + 90 + 10 due, 90 + 90 of it principal; 100 + 40 paid; 20 prepaid
    assert totals["due_total"].values.tolist() == [20_000]
    assert totals["due_principal_total"].values.tolist() == [18_000]
    assert totals["paid_total"].values.tolist() == [14_000]
    assert totals["prepaid_total"].values.tolist() == [2_000]
    assert not is_flagged(totals, "needs_reallocation")


def test_a_reversal_needs_reallocation() -> None:
    payments = rows(slot=[0], amount=[-4_000], is_prepaid=[False])
    assert is_flagged(running_totals(loan(), DUE, payments, DAYS), "needs_reallocation")


def test_an_instalment_delivered_late_needs_reallocation() -> None:
    late = DUE | rows(due_on=[55])
    assert is_flagged(running_totals(loan(), late, NO_PAYMENTS, DAYS), "needs_reallocation")


def test_a_loan_written_off_is_dormant_until_a_payment() -> None:
    written_off = loan(written_off_on=day(50))
    totals = running_totals(written_off, NOTHING_DUE, NO_PAYMENTS, DAYS)
    assert is_flagged(totals, "is_dormant_write_off")
    payments = rows(slot=[0], amount=[1], is_prepaid=[False])
    totals = running_totals(written_off, NOTHING_DUE, payments, DAYS)
    assert not is_flagged(totals, "is_dormant_write_off")
    assert is_flagged(totals, "needs_reallocation")


@pytest.mark.parametrize(("paid", "is_unpaid"), [(9_999, True), (10_000, False)])
def test_a_loan_has_unpaid_instalments_until_the_last_fen_due_is_paid(
    paid: int, is_unpaid: bool
) -> None:
    payments = rows(slot=[0], amount=[paid], is_prepaid=[False])
    now = running_totals(loan(), DUE, payments, DAYS)
    now |= dates_effective({name: day(None) for name in SOURCE_DATES}, DAYS)
    assert has_unpaid_due(now, DAYS).tolist() == [is_unpaid]


def test_payments_cover_the_oldest_instalment_first_and_interest_before_principal() -> None:
    # Two instalments of 90 + 10 in the month. Of these 200, 105 were paid: the first instalment,
    # and of the second 5, all of it interest.
    due = rows(
        slot=[0, 0], number=[3, 2], due_on=[85, 70], principal=[9_000] * 2, interest=[1_000] * 2
    )
    payments = rows(slot=[0], amount=[10_500], is_prepaid=[False])
    now = running_totals(loan(), due, payments, DAYS)
    instalments = open_instalments(NO_INSTALMENTS, due, loan(), now, np.array([False]))
    assert instalments["number"].tolist() == [3]
    assert instalments["due_total"].tolist() == [30_000]
    assert instalments["paid"].tolist() == [500]
    late = arrears(instalments, now, DAYS)
    # 95 are late since day 85; the principal of the two paid ones is 180
    assert late["late_amount"].values.tolist() == [9_500]
    assert late["oldest_open_on"].values.tolist() == [85]
    assert late["count_open_late"].values.tolist() == [1]
    assert late["principal_paid_total"].values.tolist() == [18_000]


def test_an_instalment_due_on_the_month_end_is_owed_but_not_late() -> None:
    due = DUE | rows(due_on=[90])
    now = running_totals(loan(), due, NO_PAYMENTS, DAYS)
    instalments = open_instalments(NO_INSTALMENTS, due, loan(), now, np.array([False]))
    late = arrears(instalments, now, DAYS)
    assert late["count_open_late"].values.tolist() == [0]
    assert late["oldest_open_on"].is_valid.tolist() == [False]
    assert late["principal_paid_total"].values.tolist() == [9_000]


def test_a_first_payment_is_assessed_in_the_month_in_which_its_thirty_days_end() -> None:
    # due on day 30, 31 and 60: over on day 60 (the month before), 61 and 90
    now = {"first_due_on": day(30, 31, 60, 61, None)}
    assert first_payment_assessed(now, DAYS).tolist() == [1, 2]


def test_a_date_after_the_month_end_is_null() -> None:
    loans = {name: day(90, 91) for name in SOURCE_DATES}
    assert dates_effective(loans, DAYS)["closed_on"].is_valid.tolist() == [True, False]
