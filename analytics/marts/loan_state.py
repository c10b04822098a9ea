"""Monthly changes to the state of loans, over whole arrays (marts/columns.py): what fell due and what came, what
of it is open, balances, days past due, and what a loan's class makes it cost. Money is in whole fen, a day is the days
since 1970.

Allocation: instalments due are covered first in, first out, interest before principal within one. Money ahead of the
schedule is a credit until it falls due; a prepayment lowers the principal at once; a settled loan has no balance. An
instalment due on the month end itself and not yet paid is not late, but its principal is still owed.
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

_NEVER = np.iinfo(np.int32).max
# Whether a first instalment was paid is looked at so many days after its due day.
_GRACE = 30
_REACHED = {
    "closed_on": "closes_on",
    "ended_on": "ends_on",
    "written_off_on": "writes_off_on",
    "restructured_on": "restructures_on",
}
_SNAPSHOT = ("balance", "days_past_due", "interest_received", "is_interest_known")
_AMOUNTS = ("due_total", "due_principal_total", "paid_total", "prepaid_total")
# 5e-10 lies between the error of a double and the smallest step of products of an amount, a rate and a class's share.
_ROUNDING = 5e-10
_FEN = 100.0


@dataclass(frozen=True)
class Days:
    """The days of a month: its end and that of the month before; first payments judged after `judged_after` are of the
    last three months, those after `judged_since` are judged now.

    is_opening  the first month of the records
    new_above   loans with a higher key were handed over now for the first time, whenever they were paid out
    """

    as_of: int
    previous: int
    judged_after: int
    judged_since: int
    is_opening: bool = False
    new_above: int = _NEVER

    @classmethod
    def of(cls, bound: Mapping[str, Any]) -> Days:
        """Of the values bound to a month's statements."""
        names = ("as_of", "previous", "judged_after", "judged_since")
        is_later_load = bound["is_first"] and not bound["is_opening"]
        above = bound["last_loan_key"] if is_later_load else _NEVER
        return cls(*(_day(bound[name]) for name in names), bound["is_opening"], above)


def reached(loans: Columns, days: Days) -> dict[str, MaskedArray]:
    """Of the dates that the source knows, later ones too, those that have come."""
    found = {}
    for name, known in _REACHED.items():
        column = loans[known]
        here = column.is_known & (column.values <= days.as_of)
        found[name] = dates(np.where(here, column.values, 0), here)
    return found


def totals(loans: Columns, due: Rows, came: Rows, days: Days) -> dict[str, MaskedArray]:
    """What fell due and what came, added to the totals of the month before. `due` has place, number, due_on, principal
    and interest, `came` place, amount and is_prepaid.

    is_resting    written off the month before or earlier, and nothing came since: it rests as it was
    is_recounted  a reversal, an instalment handed over late, or money for a loan at rest may change what the month
                  before held as paid
    """
    size = len(loans["loan_key"].values)
    first, prepaid = due["number"] == 1, came["is_prepaid"].astype(bool)
    given = np.full(size, _NEVER, np.int32)
    np.minimum.at(given, due["place"][first], due["due_on"][first])
    first_due = loans["first_due_on"]
    given = np.where(first_due.is_known, first_due.values, given)
    paid = sum_by_slot(came["place"][~prepaid], came["amount"][~prepaid], size)
    more = {
        "due_total": sum_by_slot(due["place"], due["principal"] + due["interest"], size),
        "due_principal_total": sum_by_slot(due["place"], due["principal"], size),
        "paid_total": paid,
        "prepaid_total": sum_by_slot(came["place"][prepaid], came["amount"][prepaid], size),
    }
    has_come, is_given_late = np.zeros(size, bool), np.zeros(size, bool)
    has_come[came["place"]] = True
    is_given_late[due["place"][due["due_on"] <= days.previous]] = True
    known, was_written_off = _is(loans["has_row"]), loans["written_off_on"].is_known
    return {
        "first_due_on": dates(np.where(given < _NEVER, given, 0), given < _NEVER),
        **{name: money(loans[name].filled(0) + more[name]) for name in _AMOUNTS},
        "is_resting": number(known & was_written_off & ~has_come),
        "is_recounted": number(known & ((paid < 0) | is_given_late | (was_written_off & has_come))),
    }


def is_behind(now: Columns, days: Days) -> np.ndarray:
    """Loans with instalments due and not fully paid. A loan sold in the month earned interest up to the sale; that of a
    settled one is what came beyond its principal.
    """
    ended = now["ended_on"]
    return (
        (now["paid_total"].values < now["due_total"].values)
        & ~now["closed_on"].is_known
        & (~ended.is_known | (ended.values > days.previous))
        & (_is(now["is_recounted"]) | ~_is(now["is_resting"]))
    )


def still_open(
    before: Rows, due: Rows, loans: Columns, now: Columns, is_afresh: np.ndarray
) -> dict[str, np.ndarray]:
    """The instalments not fully paid, loan by loan in the order of their days, with the sums due up to and with each,
    and what of each is paid: `before` were open a month ago, those of a loan in the order of their days; `due` are to
    be added, in any order, from the first one on where `is_afresh`.
    """
    order = np.lexsort((due["number"], due["due_on"], due["place"]))
    due = {name: values[order] for name, values in due.items()}
    place = due["place"]
    for name, amounts in (
        ("due_total", due["principal"] + due["interest"]),
        ("due_principal_total", due["principal"]),
    ):
        due[name] = np.where(is_afresh, 0, loans[name].filled(0))[place] + _running(place, amounts)
    rows = {name: np.concatenate([before[name], due[name]]) for name in due}
    # Those open before come before those that fell due since.
    paid = now["paid_total"].values[rows["place"]]
    order = np.argsort(rows["place"], kind="stable")
    order = order[rows["due_total"][order] > paid[order]]
    rows = {name: values[order] for name, values in rows.items()}
    earlier = rows["due_total"] - rows["principal"] - rows["interest"]
    return rows | {"paid": np.maximum(paid[order] - earlier, 0)}


def arrears(rows: Rows, now: Columns, days: Days) -> dict[str, MaskedArray]:
    """What open instalments say of each loan: the principal paid so far, and the first, the number and the amount of
    those that are late.
    """
    size = len(now["paid_total"].values)
    late = rows["due_on"] < days.as_of
    place = rows["place"][late]
    oldest = np.full(size, _NEVER, np.int32)
    np.minimum.at(oldest, place, rows["due_on"][late])
    amounts = (rows["principal"] + rows["interest"] - rows["paid"])[late]
    # Principal of the instalments before the first open one, and of that one what its interest left over.
    first = _firsts(rows["place"])
    principal_paid = now["due_principal_total"].values.copy()
    left_over = np.maximum(rows["paid"] - rows["interest"], 0)
    principal_paid[rows["place"][first]] = (
        rows["due_principal_total"] - rows["principal"] + left_over
    )[first]
    return {
        "principal_paid_total": money(principal_paid),
        "oldest_open_on": dates(np.where(oldest < _NEVER, oldest, 0), oldest < _NEVER),
        "count_open_late": number(np.bincount(place, minlength=size).astype(np.int16)),
        "late_amount": money(sum_by_slot(place, amounts, size)),
    }


def judged(now: Columns, days: Days) -> np.ndarray:
    """The places of loans of which the first payment is judged now, once: their 30 days are over."""
    first_due = now["first_due_on"]
    over = first_due.values + _GRACE
    return np.flatnonzero(first_due.is_known & (over > days.judged_since) & (over <= days.as_of))


def judged_on(now: Columns) -> MaskedArray:
    """The day on which the first payment is judged."""
    first_due = now["first_due_on"]
    return dates(first_due.values + np.int32(_GRACE), first_due.known)


def state(loans: Columns, now: Columns, missed: Rows, days: Days) -> dict[str, MaskedArray]:
    """The state of each loan at the month end. `loans` is that of the month before, `now` what reached, totals and
    arrears found, `missed` has place and is_missed of the first payments judged now.
    """
    known, closed, ended, written = (
        _is(loans["has_row"]),
        *(now[name].is_known for name in ("closed_on", "ended_on", "written_off_on")),
    )
    at_rest = _is(now["is_resting"]) & ~_is(now["is_recounted"])
    owed = np.maximum(
        loans["principal"].values
        - now["prepaid_total"].values
        - now["principal_paid_total"].values,
        0,
    )
    interest_before = loans["interest_total"].filled(0)
    paid, prepaid = now["paid_total"].values, now["prepaid_total"].values
    interest = np.minimum(paid, now["due_total"].values) - now["principal_paid_total"].values
    interest = np.where(
        (ended & (now["ended_on"].values <= days.previous)) | at_rest, interest_before, interest
    )
    interest = np.where(
        closed, np.maximum(paid + prepaid - loans["principal"].values, interest_before), interest
    )
    oldest = _where(at_rest, loans["oldest_due_on"], now["oldest_open_on"])
    oldest = _only(oldest, ~ended)
    is_scheduled = _is(loans["is_scheduled"])
    past_due = np.where(oldest.is_known, np.int32(days.as_of) - oldest.values, np.int32(0))
    late_amount = np.where(ended | written, 0, now["late_amount"].values)
    # What came before the first month of the records cannot be told apart by month.
    received = interest - interest_before
    if days.is_opening:
        received = np.where(loans["disbursed_on"].values <= days.previous, 0, received)
    return {
        "interest_total": money(interest),
        "oldest_due_on": oldest,
        "balance_before": _only(loans["balance"], known),
        "balance": money(np.where(ended | written, 0, owed)),
        "balance_written_off": money(
            np.where(
                written & ~ended, np.where(at_rest, loans["balance_written_off"].filled(0), owed), 0
            )
        ),
        "count_instalments_late": number(
            np.where(
                ended,
                np.int16(0),
                np.where(
                    at_rest,
                    loans["count_instalments_late"].filled(0),
                    now["count_open_late"].values,
                ),
            )
        ),
        # Whether a loan of which no instalment was ever handed over is past due cannot be known.
        "days_past_due": _only(number(past_due), ended | is_scheduled),
        "overdue_amount": _only(money(late_amount), ended | written | is_scheduled),
        "interest_received": money(received),
        "is_first_payment_missed": _put(
            loans["is_first_payment_missed"], missed["place"], missed["is_missed"]
        ),
        **_flags(loans, now, days),
    }


def _flags(loans: Columns, now: Columns, days: Days) -> dict[str, MaskedArray]:
    """What the month brought, and whether a loan has a row: while it has not ended, in the month in which it ends, and
    until its first payment has been judged. One that ended before its first instalment fell due waits for it without a
    row (is_kept).
    """
    known, disbursed = _is(loans["has_row"]), loans["disbursed_on"].values
    closed, written, first_due, starts_due = (
        now["closed_on"],
        now["written_off_on"],
        now["first_due_on"],
        loans["starts_due_on"],
    )
    over = first_due.values + _GRACE
    is_judged_late = first_due.is_known & (over > days.judged_after)
    has_row = (
        ~loans["ends_on"].is_known
        | (loans["ends_on"].values > days.previous)
        | (known & ~loans["ended_on"].is_known)
        | is_judged_late
    )
    is_waiting = ~first_due.is_known & starts_due.is_known & (starts_due.values > days.as_of)
    is_new_close = (closed.values > days.previous) | (known & ~loans["closed_on"].is_known)
    return {
        "has_row": number(has_row),
        "is_kept": number(has_row | is_waiting),
        # Disbursed in the month, or before and handed over only now. A loan that ended and has a row again (its first
        # payment is still to be judged) is not new.
        "is_new": number(
            (disbursed > days.previous) | (~known & (loans["loan_key"].values > days.new_above))
        ),
        "is_settled": number(closed.is_known & ~written.is_known & is_new_close),
        "is_newly_written_off": number(written.is_known & (written.values > days.previous)),
        "is_first_payment_judged": number(is_judged_late & (over <= days.as_of)),
    }


def snapshot_state(loans: Columns, told: Rows, days: Days) -> dict[str, MaskedArray]:
    """The state of each loan as month-end snapshots tell it: `told` has place, balance, days_past_due,
    interest_received and is_interest_known. What a snapshot does not tell (the schedule, what was paid of it, and how
    the first instalment went) stays as it was, mostly not known; a loan without a snapshot has no row.
    """
    size = len(loans["loan_key"].values)
    has_row = np.zeros(size, bool)
    has_row[told["place"]] = True
    now = {name: _only(column, has_row) for name, column in reached(loans, days).items()}
    closed, written = now["closed_on"], now["written_off_on"]
    balance, past_due, received, is_received = (
        _at(told["place"], told[name], size) for name in _SNAPSHOT
    )
    none, nothing = np.zeros(size, bool), np.zeros(size, np.int64)
    return {
        **now,
        "has_row": number(has_row),
        "balance_before": _only(loans["balance"], _is(loans["has_row"])),
        "balance": _only(money(np.where(written.is_known, 0, balance)), has_row),
        "balance_written_off": _only(money(np.where(written.is_known, balance, 0)), has_row),
        "days_past_due": number(past_due, has_row),
        "overdue_amount": _only(money(nothing), none),
        "interest_received": _only(money(received), is_received),
        "is_new": number(loans["disbursed_on"].values > days.previous),
        "is_settled": number(closed.is_known & (closed.values > days.previous)),
        "is_newly_written_off": number(written.is_known & (written.values > days.previous)),
        "is_first_payment_judged": number(none),
    }


@dataclass(frozen=True)
class ClassValues:
    """What each class stands for, by its number; nan where a class says nothing of it."""

    npl: np.ndarray
    pd: np.ndarray
    provision: np.ndarray


def costs(
    loans: Columns,
    classes: np.ndarray,
    values: ClassValues,
    is_secured: np.ndarray,
    rates: Mapping[str, float],
) -> dict[str, MaskedArray]:
    """What a loan's class and the assumptions (data/assumptions.toml) make it cost. Half a fen is rounded up.

    Provision: 银行贷款损失准备计提指引 (2002): the general rate and the class's own; a regulatory guide, not expected
    credit loss. Funding: balance × funding rate / 12. Expected loss of the month: PD × LGD × balance / 12.
    """
    balance = loans["balance"].values / _FEN
    has_balance = loans["balance"].values > 0
    funding = loans["funding_rate"]
    funding_rate = np.where(funding.is_known, funding.values / 1e6, rates["funding_rate"])
    loss_share = np.where(is_secured, rates["lgd_secured"], rates["lgd_unsecured"])
    npl, pd, provision = values.npl[classes], values.pd[classes], values.provision[classes]
    return {
        "is_npl": _only(number(npl == 1), has_balance & ~np.isnan(npl)),
        "provision": _only(
            money(rounded(balance * np.nan_to_num(provision))), ~np.isnan(provision)
        ),
        "funding_cost": money(rounded(balance * funding_rate / 12)),
        "expected_loss": _only(
            money(rounded(balance * np.nan_to_num(pd) * loss_share / 12)), ~np.isnan(pd)
        ),
        "operating_cost": money(
            np.where(has_balance, rounded(np.float64(rates["operating_cost_loan"])), 0)
        ),
    }


def product_bits(loans: Columns, families: np.ndarray) -> MaskedArray:
    """A bit for the family of each loan with a balance; `families` by product_key, 0 for no product."""
    bits = np.int32(1) << families[loans["product_key"].values].astype(np.int32)
    return number(np.where(loans["balance"].values > 0, bits, np.int32(0)))


def rounded(amounts: np.ndarray) -> np.ndarray:
    """Yuan → whole fen; half a fen is rounded up."""
    fen = (amounts + _ROUNDING) * _FEN
    whole = np.floor(fen)
    return (whole + (fen - whole >= 0.5)).astype(np.int64)


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _is(flag: MaskedArray) -> np.ndarray:
    return flag.values.astype(bool)


def _running(places: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Sums up to and with each row among those of its place, which stand side by side."""
    total, first = np.cumsum(amounts), _firsts(places)
    return total - np.repeat(total[first] - amounts[first], np.diff(first, append=len(places)))


def _firsts(places: np.ndarray) -> np.ndarray:
    """Where each place begins; equal ones stand side by side."""
    return np.flatnonzero(np.diff(places, prepend=-1))


def _at(places: np.ndarray, given: np.ndarray, size: int) -> np.ndarray:
    values = np.zeros(size, given.dtype)
    values[places] = given
    return values


def _only(column: MaskedArray, known: np.ndarray) -> MaskedArray:
    """Known only where it was and `known` is."""
    known = column.is_known & known
    return MaskedArray(
        column.type,
        np.where(known, column.values, column.values.dtype.type(0)),
        known,
        column.words,
    )


def _where(which: np.ndarray, one: MaskedArray, other: MaskedArray) -> MaskedArray:
    known = np.where(which, one.is_known, other.is_known)
    return MaskedArray(other.type, np.where(which, one.values, other.values), known)


def _put(before: MaskedArray, places: np.ndarray, given: np.ndarray) -> MaskedArray:
    """As before, and as given at `places`."""
    values, known = before.values.astype(bool), before.is_known.copy()
    values[places], known[places] = given, True
    return number(values, known)
