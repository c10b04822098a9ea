"""Allocation of payments to instalments: totals, open instalments, arrears, the first payment.

Instalments due are covered first in, first out, interest before principal within one. Money ahead
of the schedule is a credit until it falls due; a prepayment lowers the principal at once. An
instalment due on the month end itself and not yet paid is not late, but its principal is still
owed.

Columns have shape (loans,), one value per slot of `ActiveLoans`; rows have shape (rows,) and a
column `slot`. Amounts are in fen, dates in days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from analytics.marts.columns import MaskedArray, dates, money, number, sum_by_slot

Columns = Mapping[str, MaskedArray]
Rows = Mapping[str, np.ndarray]

# The first payment is assessed this many days after its due date.
FIRST_PAYMENT_GRACE_DAYS = 30
_MAX_DAY = np.iinfo(np.int32).max
_EPOCH = date(1970, 1, 1)
_DATE_OF_SOURCE = {
    "closed_on": "closes_on",
    "ended_on": "ends_on",
    "written_off_on": "writes_off_on",
    "restructured_on": "restructures_on",
}


@dataclass(frozen=True)
class MonthDays:
    """The dates that one month's arithmetic compares with, in days since 1970-01-01.

    Parameters
    ----------
    as_of
        The month end.
    previous
        The month end before it.
    quarter_before
        The month end three months before; first payments assessed after it are reported.
    assessed_since
        First payments assessed after it are assessed in this month.
    is_first_of_records
        Whether it is the first month of the first load.
    last_known_loan_key
        Loans with a higher key are new to the bank's records, whenever they were disbursed.
    records_from
        The month end before the first month of all records.
    """

    as_of: int
    previous: int
    quarter_before: int
    assessed_since: int
    is_first_of_records: bool = False
    last_known_loan_key: int = _MAX_DAY
    records_from: int = 0

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> MonthDays:
        """Return the days of `BuildContext.parameters`."""
        is_first_of_records = parameters["is_first_of_records"]
        is_first_of_later_load = parameters["is_first"] and not is_first_of_records
        return cls(
            as_of=_day_number(parameters["as_of"]),
            previous=_day_number(parameters["previous"]),
            quarter_before=_day_number(parameters["quarter_before"]),
            assessed_since=_day_number(parameters["assessed_since"]),
            is_first_of_records=is_first_of_records,
            last_known_loan_key=parameters["last_loan_key"] if is_first_of_later_load else _MAX_DAY,
            records_from=_day_number(parameters["records_from"]),
        )

    @property
    def is_first_of_later_load(self) -> bool:
        """Whether events of earlier months may become known in this one."""
        return self.last_known_loan_key < _MAX_DAY


def dates_effective(loans: Columns, days: MonthDays) -> dict[str, MaskedArray]:
    """Return event dates on or before the month end; later ones are null.

    The result has closed_on, ended_on, written_off_on and restructured_on.
    """
    effective = {}
    for name, source_name in _DATE_OF_SOURCE.items():
        column = loans[source_name]
        has_come = column.is_valid & (column.values <= days.as_of)
        effective[name] = dates(np.where(has_come, column.values, 0), has_come)
    return effective


def running_totals(
    loans: Columns, due: Rows, payments: Rows, days: MonthDays
) -> dict[str, MaskedArray]:
    """Add what fell due and what was received in the month to the totals of the month before.

    Parameters
    ----------
    loans
        The state of the month before.
    due
        Instalments with slot, number, due_on, principal and interest.
    payments
        Payments with slot, amount and is_prepaid; reversals are negative.

    Returns
    -------
    dict
        due_total, due_principal_total, paid_total (without prepayments), prepaid_total,
        first_due_on, is_dormant_write_off (written off before, nothing received since) and
        needs_reallocation (payments must be allocated again from the first instalment).
    """
    size = len(loans["loan_key"].values)
    is_prepaid = payments["is_prepaid"].astype(bool)
    amounts_due = due["principal"] + due["interest"]
    paid = _sum_rows(payments, payments["amount"], ~is_prepaid, size)
    prepaid = _sum_rows(payments, payments["amount"], is_prepaid, size)
    has_payment = np.zeros(size, bool)
    has_payment[payments["slot"]] = True
    has_late_delivery = np.zeros(size, bool)
    has_late_delivery[due["slot"][due["due_on"] <= days.previous]] = True
    had_row = loans["has_row"].is_true
    was_written_off = loans["written_off_on"].is_valid
    return {
        "first_due_on": _first_due(loans["first_due_on"], due, size),
        "due_total": _add(loans["due_total"], sum_by_slot(due["slot"], amounts_due, size)),
        "due_principal_total": _add(
            loans["due_principal_total"], sum_by_slot(due["slot"], due["principal"], size)
        ),
        "paid_total": _add(loans["paid_total"], paid),
        "prepaid_total": _add(loans["prepaid_total"], prepaid),
        "is_dormant_write_off": number(had_row & was_written_off & ~has_payment),
        "needs_reallocation": number(
            had_row & ((paid < 0) | has_late_delivery | (was_written_off & has_payment))
        ),
    }


def has_unpaid_due(now: Columns, days: MonthDays) -> np.ndarray:
    """Return which loans have instalments due and not fully paid, shape (loans,).

    A loan sold in the month earned interest up to the sale, so it counts. A settled loan has no
    open instalments: its interest is what was received beyond its principal.
    """
    ended = now["ended_on"]
    return (
        (now["paid_total"].values < now["due_total"].values)
        & ~now["closed_on"].is_valid
        & (~ended.is_valid | (ended.values > days.previous))
        & (now["needs_reallocation"].is_true | ~now["is_dormant_write_off"].is_true)
    )


def open_instalments(
    before: Rows, due: Rows, loans: Columns, now: Columns, restart_allocation: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the instalments not fully paid, grouped by loan and in the order of their due dates.

    Parameters
    ----------
    before
        Instalments open at the previous month end, those of a loan in the order of their due dates.
    due
        Instalments to add, in any order.
    loans, now
        The state of the month before, and `running_totals` of this month.
    restart_allocation
        Loans, shape (loans,), of which `due` has all instalments from the first one on.

    Returns
    -------
    dict
        The columns of `due` with due_total and due_principal_total (sums up to and including the
        instalment) and paid (what of it is paid).
    """
    order = np.lexsort((due["number"], due["due_on"], due["slot"]))
    new_rows = {name: values[order] for name, values in due.items()}
    slot = new_rows["slot"]
    sums = {
        "due_total": new_rows["principal"] + new_rows["interest"],
        "due_principal_total": new_rows["principal"],
    }
    for name, amounts in sums.items():
        opening = np.where(restart_allocation, 0, loans[name].fill_null(0))
        new_rows[name] = opening[slot] + _running_sum(slot, amounts)
    rows = {name: np.concatenate([before[name], new_rows[name]]) for name in new_rows}
    # A stable sort leaves instalments that were open before ahead of those added now.
    order = np.argsort(rows["slot"], kind="stable")
    paid_total = now["paid_total"].values[rows["slot"]]
    order = order[rows["due_total"][order] > paid_total[order]]
    rows = {name: values[order] for name, values in rows.items()}
    due_before = rows["due_total"] - rows["principal"] - rows["interest"]
    return rows | {"paid": np.maximum(paid_total[order] - due_before, 0)}


def arrears(rows: Rows, now: Columns, days: MonthDays) -> dict[str, MaskedArray]:
    """Summarise the open instalments of each loan.

    Parameters
    ----------
    rows
        The result of `open_instalments`.

    Returns
    -------
    dict
        principal_paid_total, and of the late instalments oldest_open_on, count_open_late and
        late_amount.
    """
    size = len(now["paid_total"].values)
    is_late = rows["due_on"] < days.as_of
    slot = rows["slot"][is_late]
    oldest = np.full(size, _MAX_DAY, np.int32)
    np.minimum.at(oldest, slot, rows["due_on"][is_late])
    amounts = (rows["principal"] + rows["interest"] - rows["paid"])[is_late]
    # Principal of the instalments before the first open one, and the part of that one's payments
    # that exceeds its interest.
    first = _group_starts(rows["slot"])
    principal_paid = now["due_principal_total"].values.copy()
    beyond_interest = np.maximum(rows["paid"] - rows["interest"], 0)
    principal_paid[rows["slot"][first]] = (
        rows["due_principal_total"] - rows["principal"] + beyond_interest
    )[first]
    return {
        "principal_paid_total": money(principal_paid),
        "oldest_open_on": dates(np.where(oldest < _MAX_DAY, oldest, 0), oldest < _MAX_DAY),
        "count_open_late": number(np.bincount(slot, minlength=size).astype(np.int16)),
        "late_amount": money(sum_by_slot(slot, amounts, size)),
    }


def first_payment_assessed(now: Columns, days: MonthDays) -> np.ndarray:
    """Return the slots of loans whose first payment is assessed in this month."""
    assessed_on = assessment_date(now)
    is_over = (assessed_on.values > days.assessed_since) & (assessed_on.values <= days.as_of)
    return np.flatnonzero(assessed_on.is_valid & is_over)


def assessment_date(now: Columns) -> MaskedArray:
    """Return the date on which the first payment is assessed, 30 days after its due date."""
    first_due = now["first_due_on"]
    return dates(first_due.values + np.int32(FIRST_PAYMENT_GRACE_DAYS), first_due.valid)


def _first_due(before: MaskedArray, due: Rows, size: int) -> MaskedArray:
    """Return the due date of the first instalment, null until it has fallen due."""
    is_first = due["number"] == 1
    first_due = np.full(size, _MAX_DAY, np.int32)
    np.minimum.at(first_due, due["slot"][is_first], due["due_on"][is_first])
    first_due = np.where(before.is_valid, before.values, first_due)
    return dates(np.where(first_due < _MAX_DAY, first_due, 0), first_due < _MAX_DAY)


def _add(before: MaskedArray, amounts: np.ndarray) -> MaskedArray:
    return money(before.fill_null(0) + amounts)


def _sum_rows(rows: Rows, amounts: np.ndarray, condition: np.ndarray, size: int) -> np.ndarray:
    return sum_by_slot(rows["slot"][condition], amounts[condition], size)


def _day_number(day: date) -> int:
    return (day - _EPOCH).days


def _running_sum(slots: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return the sum up to and including each row within its group; equal slots are adjacent."""
    total = np.cumsum(amounts)
    first = _group_starts(slots)
    total_before = total[first] - amounts[first]
    return total - np.repeat(total_before, np.diff(first, append=len(slots)))


def _group_starts(slots: np.ndarray) -> np.ndarray:
    """Return the index of the first row of each group; equal slots are adjacent."""
    return np.flatnonzero(np.diff(slots, prepend=-1))
