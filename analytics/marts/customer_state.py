"""The facts of every customer at a month end: sums of twelve months, delinquency, services, rank.

Columns have shape (customers,), one value per slot of `CustomerIndex`; amounts are in fen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from analytics.marts.class_sql import HISTORY_BITS, HISTORY_MONTHS
from analytics.marts.columns import MaskedArray, choose, dates, money, number, sum_by_slot
from data.dates import month_end
from data.errors import UserError

FLOWS = ("interest", "fees", "margin", "funding_cost", "expected_loss", "operating_cost")
# Months since a kind of service last brought income take four bits each; 15 is fifteen or more, or
# never.
NEVER = 15
_MONTHS_BITS = 4
_ALL_HISTORY_BITS = HISTORY_MONTHS * HISTORY_BITS
# In fen: the smallest amount that does not fit in decimal(15, 2).
_AMOUNT_LIMIT = 10**15


def aggregate_loans(
    loans: Mapping[str, MaskedArray],
    slots: np.ndarray,
    size: int,
    classes: Mapping[str, Sequence[str]],
) -> dict[str, MaskedArray]:
    """Sum the loans of a month end by borrower.

    days_past_due and the worst class are null for customers without an open loan; days_past_due
    also when it is null for all their loans.

    Parameters
    ----------
    loans
        The columns of `LoanMartBuilder.month_state`, shape (loans,); only loans with a row count.
    slots
        The slot of each loan's borrower, shape (loans,); -1 for a borrower without a slot.
    size
        The number of customers.
    classes
        The classes of each scheme that grades loans, best first.

    Raises
    ------
    UserError
        A sum of amounts reaches 1e13 CNY and would not fit in the marts.
    """
    # Loans that do not count are added to an extra slot at the end.
    borrowers = _Borrowers(np.where(loans["has_row"].is_true & (slots >= 0), slots, size), size)
    # A settlement is counted with or without a row at the month end.
    all_borrowers = _Borrowers(np.where(slots >= 0, slots, size), size)
    is_open = loans["balance"].values > 0
    days = loans["days_past_due"]
    has_open_loan = borrowers.exists(is_open)
    worst_classes = {}
    for scheme, codes in classes.items():
        worst = borrowers.highest(loans[f"class_{scheme}"].values, is_open).astype(np.int32)
        worst_classes[f"worst_{scheme}"] = MaskedArray(
            pa.string(), worst, has_open_loan, tuple(codes)
        )
    return {
        "loans_open": borrowers.count(is_open),
        "loans_settled": number(
            all_borrowers.count(loans["is_settled"].is_true).values
            - all_borrowers.count(loans["is_reopened"].is_true).values
        ),
        "loan_balance": borrowers.total(loans, "balance"),
        "interest": borrowers.total(loans, "interest_received"),
        "overdue_amount": borrowers.total(loans, "overdue_amount"),
        "funding_cost": borrowers.total(loans, "funding_cost"),
        "expected_loss": borrowers.total(loans, "expected_loss"),
        "operating_cost": borrowers.total(loans, "operating_cost"),
        "days_past_due": number(
            borrowers.highest(days.values, is_open), borrowers.exists(is_open & days.is_valid)
        ),
        "count_instalments_late_in_a_row": number(
            borrowers.highest(loans["count_instalments_late"].values, is_open)
        ),
        "product_bits": number(borrowers.union(loans["product_bit"].values)),
        **worst_classes,
    }


@dataclass(frozen=True)
class _Borrowers:
    """Aggregates of loans by borrower, shape (size,).

    Parameters
    ----------
    slot
        The slot of each loan's borrower, shape (loans,); `size` for loans that do not count.
    size
        The number of customers.
    """

    slot: np.ndarray
    size: int

    def count(self, condition: np.ndarray) -> MaskedArray:
        """Return the number of loans for which `condition`, shape (loans,), holds."""
        counts = np.bincount(self.slot[condition], minlength=self.size + 1)[: self.size]
        return number(counts.astype(np.int16))

    def total(self, loans: Mapping[str, MaskedArray], name: str) -> MaskedArray:
        """Return the sum of a column of amounts."""
        sums = sum_by_slot(self.slot, loans[name].values, self.size + 1)[: self.size]
        if np.abs(sums).max(initial=0) >= _AMOUNT_LIMIT:
            raise UserError("amount_too_large", name=name)
        return money(sums)

    def highest(self, values: np.ndarray, condition: np.ndarray) -> np.ndarray:
        """Return the highest positive value of the loans for which `condition` holds, or 0."""
        members = condition & (values > 0)
        maxima = np.zeros(self.size + 1, values.dtype)
        np.maximum.at(maxima, self.slot[members], values[members])
        return maxima[: self.size]

    def exists(self, condition: np.ndarray) -> np.ndarray:
        """Return whether `condition` holds for a loan of the borrower."""
        flags = np.zeros(self.size + 1, bool)
        flags[self.slot[condition]] = True
        return flags[: self.size]

    def union(self, bits: np.ndarray) -> np.ndarray:
        """Return the union of single bits, one per loan."""
        union = np.zeros(self.size + 1, bits.dtype)
        for position in range(int(bits.max(initial=0)).bit_length()):
            union[self.slot[bits == 1 << position]] |= 1 << position
        return union[: self.size]


def monthly_flows(
    loans: Mapping[str, MaskedArray],
    fees: Mapping[str, MaskedArray],
    deposits: Mapping[str, MaskedArray],
) -> dict[str, MaskedArray]:
    """Return the amounts of the month by name (`FLOWS`), without nulls.

    Parameters
    ----------
    loans
        The result of `aggregate_loans`.
    fees, deposits
        The results of customer_fees.sql and customer_deposits.sql.
    """
    operating_cost = loans["operating_cost"].fill_null(0) + deposits["operating_cost"].fill_null(0)
    return {
        "interest": money(loans["interest"].fill_null(0)),
        "fees": money(fees["fees"].fill_null(0)),
        "margin": money(deposits["margin"].fill_null(0)),
        "funding_cost": money(loans["funding_cost"].fill_null(0)),
        "expected_loss": money(loans["expected_loss"].fill_null(0)),
        "operating_cost": money(operating_cost),
    }


def twelve_month_sums(
    month: Mapping[str, MaskedArray],
    before: Callable[[str], MaskedArray],
    year_ago: Mapping[str, MaskedArray],
) -> dict[str, MaskedArray]:
    """Return the sums of the last twelve months, with the suffix _12m.

    They are the sums of the month before, plus this month, less the month a year ago.
    """
    return {
        f"{name}_12m": money(
            before(f"{name}_12m").fill_null(0)
            - year_ago[name].fill_null(0)
            + month[name].fill_null(0)
        )
        for name in FLOWS
    }


def borrowing_history(
    before: Callable[..., MaskedArray], events: Mapping[str, MaskedArray], settled: MaskedArray
) -> dict[str, MaskedArray]:
    """Return first_loan_on, loans_ever and loans_settled.

    They are those of the month before with the loans of the month added; of a customer whose loans
    are counted again, what the loans give as they are now known.

    Parameters
    ----------
    before
        The state of the month before, by name and NumPy type.
    events
        The result of customer_events.sql.
    settled
        The loans settled in the month.
    """
    is_recounted = events["is_recounted"].is_true
    added_up = {
        "first_loan_on": earliest(before("first_loan_on", np.int32), events["first_loan_on"]),
        "loans_ever": _add_counts(before("loans_ever"), events["loans_new"]),
        "loans_settled": _add_counts(before("loans_settled"), events["loans_ended"], settled),
    }
    return {
        name: choose(is_recounted, events[f"recounted_{name}"], column)
        for name, column in added_up.items()
    }


def is_new_borrower(
    first_loan_on: MaskedArray, events: Mapping[str, MaskedArray], records_from: int
) -> MaskedArray:
    """Return which customers borrow for the first time, each in exactly one month.

    It is the month of the first loan, or the one that learns of it. A loan that came from another
    customer makes no new one, nor does a loan of the time before the records.

    Parameters
    ----------
    first_loan_on
        As of the month before.
    events
        The result of customer_events.sql.
    records_from
        The month end before the first of all records, in days since 1970-01-01.
    """
    new_loan = events["first_loan_on"]
    taken_over = events["recounted_first_loan_on"]
    has_earlier_loan = taken_over.is_valid & (taken_over.values < new_loan.values)
    is_first = new_loan.is_valid & ~first_loan_on.is_valid & ~has_earlier_loan
    return number(is_first & (new_loan.values > records_from))


def earliest(one: MaskedArray, other: MaskedArray) -> MaskedArray:
    """Return the earlier of two dates; a null counts as later than any date."""
    latest = np.iinfo(np.int32).max
    minimum = np.minimum(one.fill_null(latest), other.fill_null(latest))
    return dates(minimum, minimum < latest)


def _add_counts(first: MaskedArray, *more: MaskedArray) -> MaskedArray:
    total = first.fill_null(0).astype(np.int32)
    for count in more:
        total = total + count.fill_null(0).astype(np.int32)
    return number(total)


class DelinquencyWindow:
    """Days past due at the last twelve month ends, of the customers with any."""

    def __init__(self) -> None:
        self._months: dict[date, tuple[np.ndarray, np.ndarray]] = {}

    def add(self, month: date, slots: np.ndarray, days: np.ndarray) -> None:
        """Store a month end: `days`, all above 0, of the customers in `slots`, both shape (n,)."""
        self._months = {
            day: entry for day, entry in self._months.items() if day > month_end(month, -12)
        }
        self._months[month] = (slots, days)

    def facts(self, month: date, days: np.ndarray) -> dict[str, MaskedArray]:
        """Return the highest days past due and the months with any, over six and twelve months.

        Parameters
        ----------
        month
            The month end with which the windows end.
        days
            Its days past due, shape (customers,), 0 where there are none or where null.
        """
        facts = {}
        for months in (6, 12):
            highest = days.astype(np.int32)
            count = (days > 0).astype(np.uint8)
            for day, (slots, earlier_days) in self._months.items():
                if day > month_end(month, -months):
                    highest[slots] = np.maximum(highest[slots], earlier_days)
                    count[slots] += 1
            facts[f"max_days_past_due_{months}m"] = number(highest)
            facts[f"months_past_due_{months}m"] = number(count)
        return facts


def months_since_income(before: MaskedArray, income: Sequence[MaskedArray]) -> MaskedArray:
    """Return the months since each kind of service last brought income, packed (uint64).

    Kind k takes the four bits from 4k up; 15 stands for fifteen or more, or never.

    Parameters
    ----------
    before
        The same at the month end before; null for new customers.
    income
        For each kind, the months since the income that was booked or delivered this month; null
        where there is none.
    """
    kinds = len(income)
    one_month = np.uint64(sum(1 << _MONTHS_BITS * kind for kind in range(kinds)))
    months = before.fill_null(sum(NEVER << _MONTHS_BITS * kind for kind in range(kinds)))
    is_never = (
        months
        & (months >> np.uint64(1))
        & (months >> np.uint64(2))
        & (months >> np.uint64(3))
        & one_month
    )
    # A kind at 15 stays there; the others grow by one month.
    months = months + (one_month ^ is_never)
    for kind, column in enumerate(income):
        slots = np.flatnonzero(column.is_valid)
        offset = np.uint64(_MONTHS_BITS * kind)
        mask = np.uint64(NEVER) << offset
        nibbles = months[slots]
        latest = np.minimum(
            (nibbles & mask) >> offset, np.minimum(column.values[slots], NEVER).astype(np.uint64)
        )
        months[slots] = (nibbles & ~mask) | (latest << offset)
    return number(months)


def count_services(months: MaskedArray, kinds: int) -> np.ndarray:
    """Return how many kinds of service brought income within twelve months, shape (customers,).

    `months` is the result of `months_since_income`; those of a counted kind are below 12.
    """
    lowest_bits = np.uint64(sum(1 << _MONTHS_BITS * kind for kind in range(kinds)))
    is_twelve_or_more = months.values >> np.uint64(3) & months.values >> np.uint64(2) & lowest_bits
    return kinds - np.bitwise_count(is_twelve_or_more)


def percentile(values: np.ndarray) -> MaskedArray:
    """Return the share of other customers with a lower value, in whole per cent.

    100 × customers with a lower value / (customers − 1), rounded down: 0 for the lowest, 100 for
    the highest if no other has it.
    """
    others = max(len(values) - 1, 1)
    ascending = np.sort(values)
    # A customer has reached the per cent p with at least ceil(p × others / 100) customers below.
    lower = -(-np.arange(1, 101) * others // 100)
    lower = lower[lower <= len(values) - 1]
    # Exactly the values above the n-th in ascending order have n customers below them.
    return number(np.searchsorted(ascending[lower - 1], values, side="left").astype(np.uint8))


def shift_history(before: MaskedArray, last: MaskedArray, new: int) -> MaskedArray:
    """Return the classes of the twelve months before, four bits each, the newest lowest (uint64).

    Parameters
    ----------
    before
        The history of the month before.
    last
        Class numbers of the month before.
    new
        The class number for months in which the customer or loan did not exist.
    """
    never = np.uint64(sum(new << offset for offset in range(0, _ALL_HISTORY_BITS, HISTORY_BITS)))
    history = before.fill_null(never) & np.uint64((1 << _ALL_HISTORY_BITS) - 1)
    return number((history << np.uint64(HISTORY_BITS)) | last.fill_null(new).astype(np.uint64))
