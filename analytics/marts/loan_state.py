"""The state of every loan at a month end: balance, days past due, interest received, flags.

It is computed from schedules and payments (`state_from_events`, after
analytics/marts/loan_allocation.py) or from month-end snapshots (`state_from_snapshots`). Columns
have shape (loans,), one value per slot of `ActiveLoans`. Amounts are in fen, dates in days since
1970-01-01.
"""

from __future__ import annotations

import numpy as np

from analytics.marts.columns import MaskedArray, choose, money, number
from analytics.marts.loan_allocation import (
    Columns,
    MonthDays,
    Rows,
    assessment_date,
)
from analytics.marts.loan_settlement import (
    dates_with_settlement,
    is_derivable,
    settle_by_balance,
)

_NO_LATE_INSTALMENTS = np.int16(0)


def state_from_events(
    loans: Columns, now: Columns, assessments: Rows, days: MonthDays
) -> dict[str, MaskedArray]:
    """Return the state of each loan at the month end.

    Parameters
    ----------
    loans
        The state of the month before.
    now
        The results of `dates_effective`, `running_totals` and `arrears`.
    assessments
        Rows with slot and is_missed of the first payments assessed in this month.
    """
    had_row = loans["has_row"].is_true
    has_ended = now["ended_on"].is_valid
    is_written_off = now["written_off_on"].is_valid
    is_dormant = now["is_dormant_write_off"].is_true & ~now["needs_reallocation"].is_true
    principal_owed = np.maximum(
        loans["principal"].values
        - now["prepaid_total"].values
        - now["principal_paid_total"].values,
        0,
    )
    interest = _interest_total(loans, now, is_dormant, days)
    oldest_due = choose(is_dormant, loans["oldest_due_on"], now["oldest_open_on"])
    oldest_due = oldest_due.null_unless(~has_ended)
    # Nothing can be said about the arrears of a loan of which no instalment was ever delivered.
    is_scheduled = loans["is_scheduled"].is_true
    days_past_due = np.where(
        oldest_due.is_valid, np.int32(days.as_of) - oldest_due.values, np.int32(0)
    )
    overdue_amount = np.where(has_ended | is_written_off, 0, now["late_amount"].values)
    return {
        "interest_total": money(interest),
        "oldest_due_on": oldest_due,
        "balance_before": loans["balance"].null_unless(had_row),
        "balance": money(np.where(has_ended | is_written_off, 0, principal_owed)),
        "balance_written_off": _balance_written_off(loans, now, principal_owed, is_dormant),
        "count_instalments_late": _count_late(loans, now, is_dormant),
        "days_past_due": number(days_past_due).null_unless(has_ended | is_scheduled),
        "overdue_amount": money(overdue_amount).null_unless(
            has_ended | is_written_off | is_scheduled
        ),
        "interest_received": money(_interest_received(loans, interest, days)),
        "is_first_payment_missed": _update_flag(
            loans["is_first_payment_missed"], assessments["slot"], assessments["is_missed"]
        ),
        **_row_flags(loans, now, days),
    }


def state_from_snapshots(
    loans: Columns, snapshots: Rows, days: MonthDays
) -> dict[str, MaskedArray]:
    """Return the state of each loan as the bank's month-end snapshots give it.

    What a snapshot does not contain (the schedule, payments on it, the outcome of the first
    instalment) stays as it was, mostly null. A loan without a snapshot has no row, except for the
    month in which it was lent: there it counts as lent, with a balance of 0, and its days past due
    are unknown unless it has ended.

    Parameters
    ----------
    loans
        The state of the month before.
    snapshots
        Rows with slot, balance, days_past_due, interest_received and has_interest.
    """
    size = len(loans["loan_key"].values)
    slots = snapshots["slot"]
    has_snapshot = np.zeros(size, bool)
    has_snapshot[slots] = True
    has_row = has_snapshot | _is_lent_in_month(loans, days)
    balance = _scatter(slots, snapshots["balance"], size)
    now = dates_with_settlement(loans, days)
    now |= settle_by_balance(loans, now, has_snapshot, balance, days)
    written_off = now["written_off_on"]
    days_past_due = _scatter(slots, snapshots["days_past_due"], size)
    interest_received = _scatter(slots, snapshots["interest_received"], size)
    has_interest = _scatter(slots, snapshots["has_interest"], size)
    never = np.zeros(size, bool)
    return {
        **now,
        "has_row": number(has_row),
        "balance_before": loans["balance"].null_unless(loans["has_row"].is_true),
        # A loan without a snapshot keeps its last balance for the months to come.
        "balance": choose(
            has_row, money(np.where(written_off.is_valid, 0, balance)), loans["balance"]
        ),
        "balance_written_off": money(np.where(written_off.is_valid, balance, 0)).null_unless(
            has_row
        ),
        "days_past_due": number(days_past_due, has_snapshot | (has_row & now["ended_on"].is_valid)),
        "overdue_amount": money(np.zeros(size, np.int64)).null_unless(never),
        "interest_received": money(interest_received).null_unless(has_interest),
        "is_new": number(_is_new_by_snapshots(loans, has_row, days)),
        "is_settled": number(_is_settled_by_snapshots(loans, now, days)),
        "is_newly_written_off": number(_is_newly_written_off(loans, written_off, days)),
        "is_first_payment_assessed": number(never),
    }


def _is_new_by_snapshots(loans: Columns, has_row: np.ndarray, days: MonthDays) -> np.ndarray:
    """Return which loans have their first snapshot; those of the time before the records are known.

    It is mostly that of the month of disbursement. A loan of the last days may have none then, and
    one that is delivered late has it later.
    """
    had_snapshot = loans["balance"].is_valid
    return has_row & ~had_snapshot & (loans["disbursed_on"].values > days.records_from)


def _is_newly_written_off(loans: Columns, written_off: MaskedArray, days: MonthDays) -> np.ndarray:
    """Return which loans were written off in the month, or are now known to have been before."""
    is_late = (
        ~loans["written_off_on"].is_valid
        & (written_off.values > days.records_from)
        & days.is_first_of_later_load
    )
    return written_off.is_valid & ((written_off.values > days.previous) | is_late)


def _is_lent_in_month(loans: Columns, days: MonthDays) -> np.ndarray:
    """Return which loans were disbursed in the month, or before and are delivered only now."""
    disbursed = loans["disbursed_on"].values
    is_late_delivery = loans["loan_key"].values > days.last_known_loan_key
    since = np.where(is_late_delivery, days.records_from, days.previous)
    return (disbursed > since) & (disbursed <= days.as_of)


def _is_settled_by_snapshots(loans: Columns, now: Columns, days: MonthDays) -> np.ndarray:
    """Return which loans settled in the month, with or without a snapshot of its end.

    A settlement of an earlier month that is delivered only now counts now. Those before the records
    are counted with the loans that are new to them (customer_events.sql).
    """
    settlement_date = now["closed_on"]
    is_late = loans["loan_key"].values <= days.last_known_loan_key
    if days.is_first_of_records:
        is_late = np.zeros_like(is_late)
    return (
        settlement_date.is_valid
        & ~now["written_off_on"].is_valid
        & ~loans["closed_on"].is_valid
        & ((settlement_date.values > days.previous) | is_late)
    )


def _interest_total(
    loans: Columns, now: Columns, is_dormant: np.ndarray, days: MonthDays
) -> np.ndarray:
    """Return the interest received so far, in fen.

    It is what was paid of the instalments due, less principal. It no longer changes after a sale
    or for a dormant write-off; of a settled loan it is what was received beyond the principal.
    """
    ended = now["ended_on"]
    ended_earlier = ended.is_valid & (ended.values <= days.previous)
    before = loans["interest_total"].fill_null(0)
    paid = now["paid_total"].values
    interest = np.minimum(paid, now["due_total"].values) - now["principal_paid_total"].values
    interest = np.where(ended_earlier | is_dormant, before, interest)
    beyond_principal = paid + now["prepaid_total"].values - loans["principal"].values
    return np.where(now["closed_on"].is_valid, np.maximum(beyond_principal, before), interest)


def _interest_received(loans: Columns, interest: np.ndarray, days: MonthDays) -> np.ndarray:
    """Return the interest of the month, in fen."""
    of_month = interest - loans["interest_total"].fill_null(0)
    if not days.is_first_of_records:
        return of_month
    # Interest before the first month of the records cannot be divided into months.
    return np.where(loans["disbursed_on"].values <= days.previous, 0, of_month)


def _balance_written_off(
    loans: Columns, now: Columns, principal_owed: np.ndarray, is_dormant: np.ndarray
) -> MaskedArray:
    """Return the principal still owed on loans written off and neither settled nor sold."""
    remaining = np.where(is_dormant, loans["balance_written_off"].fill_null(0), principal_owed)
    is_remaining = now["written_off_on"].is_valid & ~now["ended_on"].is_valid
    return money(np.where(is_remaining, remaining, 0))


def _count_late(loans: Columns, now: Columns, is_dormant: np.ndarray) -> MaskedArray:
    """Return the number of late instalments, 0 for a loan that has ended."""
    before = loans["count_instalments_late"].fill_null(0)
    late = np.where(is_dormant, before, now["count_open_late"].values)
    return number(np.where(now["ended_on"].is_valid, _NO_LATE_INSTALMENTS, late))


def _row_flags(loans: Columns, now: Columns, days: MonthDays) -> dict[str, MaskedArray]:
    """Return the events of the month, and which loans have a row.

    A loan has a row until it has ended, in the month in which it ends or its end is delivered, and
    until the result of its first payment is no longer reported. One that ended before its first
    instalment fell due keeps its slot without a row until then (`needs_slot`).
    """
    had_row = loans["has_row"].is_true
    disbursed = loans["disbursed_on"].values
    settlement_date = now["closed_on"]
    written_off = now["written_off_on"]
    first_instalment = loans["first_instalment_on"]
    assessed_on = assessment_date(now)
    is_assessment_reported = assessed_on.is_valid & (assessed_on.values > days.quarter_before)
    ends_on = choose(loans["ends_on"].is_valid, loans["ends_on"], now["ended_on"])
    # Delivered only now, though disbursed earlier: its events of the records count now. A loan that
    # ended and has a row again, because its first payment is still to be assessed, is not new.
    is_late_delivery = ~had_row & (loans["loan_key"].values > days.last_known_loan_key)
    has_row = (
        ~ends_on.is_valid
        | (ends_on.values > days.previous)
        | (had_row & ~loans["ended_on"].is_valid)
        | (is_late_delivery & (ends_on.values > days.records_from))
        | is_assessment_reported
    )
    awaits_first_due = (
        ~now["first_due_on"].is_valid
        & first_instalment.is_valid
        & (first_instalment.values > days.as_of)
    )
    is_derived = is_derivable(loans) & settlement_date.is_valid
    is_newly_closed = ~loans["closed_on"].is_valid & (
        (settlement_date.values > days.previous)
        | had_row
        | is_derived
        | (is_late_delivery & (settlement_date.values > days.records_from))
    )
    is_new = (disbursed > days.previous) | (is_late_delivery & (disbursed > days.records_from))
    return {
        "has_row": number(has_row),
        # A settlement that was derived can be taken back.
        "needs_slot": number(has_row | awaits_first_due | is_derived),
        "is_new": number(is_new),
        "is_settled": number(settlement_date.is_valid & ~written_off.is_valid & is_newly_closed),
        "is_newly_written_off": number(_is_newly_written_off(loans, written_off, days)),
        "is_first_payment_assessed": number(
            is_assessment_reported & (assessed_on.values <= days.as_of)
        ),
    }


def _scatter(slots: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Return `values` in their slots, shape (size,), 0 elsewhere."""
    scattered = np.zeros(size, values.dtype)
    scattered[slots] = values
    return scattered


def _update_flag(before: MaskedArray, slots: np.ndarray, flags: np.ndarray) -> MaskedArray:
    """Return a flag with the values `flags` in `slots`."""
    values = before.values.astype(bool)
    valid = before.is_valid.copy()
    values[slots] = flags
    valid[slots] = True
    return number(values, valid)
