"""Settlements that no closing date states: a schedule paid in full, or a balance that has gone to
0.

A loan settles on `closes_on`, the date that the bank delivers. Where it delivers none, the state
has only `closed_on`:

- events: the day on which everything due is paid and no principal is left (settled_schedules.sql);
- snapshots: the first month end with a balance of 0 after a positive one.

Money that is taken back, or a balance that returns, opens the loan again. A loan written off or
sold never settles so. Columns have shape (loans,), one value per slot of `ActiveLoans`.
"""

from __future__ import annotations

import numpy as np

from analytics.marts.columns import MaskedArray, choose, dates, number, to_arrow_table
from analytics.marts.context import run_step
from analytics.marts.loan_allocation import Columns, MonthDays, Rows, dates_effective
from data.editions.part_writer import BuildSession


def is_derivable(loans: Columns) -> np.ndarray:
    """Return which loans have no date of an end, so that a settlement may be derived."""
    return ~(
        loans["closes_on"].is_valid | loans["ends_on"].is_valid | loans["writes_off_on"].is_valid
    )


def dates_with_settlement(loans: Columns, days: MonthDays) -> dict[str, MaskedArray]:
    """Return `dates_effective`; a settlement derived in an earlier month is closed_on as well."""
    effective = dates_effective(loans, days)
    is_derived = is_derivable(loans) & loans["closed_on"].is_valid
    for name in ("closed_on", "ended_on"):
        effective[name] = choose(is_derived, loans["closed_on"], effective[name])
    return effective


def loans_to_examine(loans: Columns, now: Columns, payments: Rows) -> np.ndarray:
    """Return the slots of loans that may have been settled or reopened in this month.

    Parameters
    ----------
    now
        The results of `dates_with_settlement` and `running_totals`.
    payments
        Payments of the month with slot and amount; reversals are negative.
    """
    principal = loans["principal"].values
    # A principal that has grown since is not repaid.
    is_repaid = now["prepaid_total"].values + now["due_principal_total"].values >= principal
    is_paid = now["paid_total"].values >= now["due_total"].values
    may_settle = is_repaid & (is_paid | (now["prepaid_total"].values > 0)) & (principal > 0)
    has_reversal = np.zeros(len(principal), bool)
    has_reversal[payments["slot"][payments["amount"] < 0]] = True
    is_open = ~now["closed_on"].is_valid
    return np.flatnonzero(
        is_derivable(loans) & np.where(is_open, may_settle, has_reversal | ~is_repaid)
    )


def settle(
    loans: Columns, now: Columns, slots: np.ndarray, settlements: Rows
) -> dict[str, MaskedArray]:
    """Return the dates of the month's end with the settlements of the loans examined.

    Parameters
    ----------
    slots
        The result of `loans_to_examine`.
    settlements
        Rows with slot and settled_on, one per loan examined whose schedule is paid in full.
    """
    is_examined = np.zeros(len(loans["loan_key"].values), bool)
    is_examined[slots] = True
    settled_on = np.zeros(len(is_examined), np.int32)
    is_paid = np.zeros(len(is_examined), bool)
    settled_on[settlements["slot"]] = settlements["settled_on"]
    is_paid[settlements["slot"]] = True
    derived = dates(settled_on, is_paid)
    settled = {name: choose(is_examined, derived, now[name]) for name in ("closed_on", "ended_on")}
    is_reopened = loans["closed_on"].is_valid & ~settled["closed_on"].is_valid
    return {
        **settled,
        "needs_reallocation": number(now["needs_reallocation"].is_true | is_reopened),
        **settlement_changes(loans, settled["closed_on"]),
    }


def settle_by_balance(
    loans: Columns, now: Columns, has_row: np.ndarray, balance: np.ndarray, days: MonthDays
) -> dict[str, MaskedArray]:
    """Return the dates of the month's end with the settlements that the snapshots show.

    Parameters
    ----------
    now
        The result of `dates_with_settlement`.
    has_row, balance
        Which loans have a snapshot, and its balance in fen.
    """
    may_settle = is_derivable(loans) & has_row
    has_come = (
        may_settle & (balance == 0) & (loans["balance"].values > 0) & ~now["closed_on"].is_valid
    )
    is_reopened = may_settle & (balance > 0)
    today = dates(np.full(len(has_row), days.as_of, np.int32))
    settled = {
        name: choose(has_come, today, now[name]).null_unless(~is_reopened)
        for name in ("closed_on", "ended_on")
    }
    return {**settled, **settlement_changes(loans, settled["closed_on"])}


def settlement_changes(loans: Columns, closed_on: MaskedArray) -> dict[str, MaskedArray]:
    """Return what became of the settlements since the month before.

    Returns
    -------
    dict
        is_reopened: a settlement was taken back; is_settlement_changed: one was derived, moved to
        another day or taken back.
    """
    before = loans["closed_on"]
    is_other_day = before.values != closed_on.values
    is_changed = (before.is_valid != closed_on.is_valid) | (closed_on.is_valid & is_other_day)
    return {
        "is_reopened": number(before.is_valid & ~closed_on.is_valid),
        "is_settlement_changed": number(is_changed & ~loans["closes_on"].is_valid),
    }


def derived_settlements(loans: Columns) -> np.ndarray:
    """Return the loan_key of the loans whose settlement was derived."""
    return loans["loan_key"].values[_derived_slots(loans)]


def _derived_slots(loans: Columns) -> np.ndarray:
    return np.flatnonzero(is_derivable(loans) & loans["closed_on"].is_valid)


def create_settlements(session: BuildSession, loans: Columns) -> None:
    """Create loan_life and settlement with the settlements derived in earlier loads.

    Parameters
    ----------
    loans
        The loans with which the load starts.
    """
    slots = _derived_slots(loans)
    derived = {
        "loan_key": loans["loan_key"].take(slots),
        "settled_on": loans["closed_on"].take(slots),
    }
    session.register(to_arrow_table(derived), "derived_settlement")
    run_step(session, "loan_lifecycle", {})
    session.unregister("derived_settlement")
    run_step(session, "settlement", {}, customers="true")


def update_settlements(session: BuildSession, loans: Columns) -> None:
    """Enter what a month changed in the derived settlements into loan_life and settlement.

    Parameters
    ----------
    loans
        The loans at the month end (`LoanMartBuilder.month_state`).
    """
    slots = np.flatnonzero(loans["is_settlement_changed"].is_true)
    if not len(slots):
        return
    names = ("loan_key", "customer_key", "closed_on")
    change = {name: loans[name].take(slots) for name in names}
    session.register(to_arrow_table(change), "settlement_change")
    run_step(session, "settlement_changes", {})
    customers = "customer_key in (select customer_key from settlement_change)"
    run_step(session, "settlement", {}, customers=customers)
    session.unregister("settlement_change")
