"""Monthly changes to the facts of customers, over whole arrays (marts/columns.py): sums of twelve months, days
past due of the last twelve, services, shares of customers. Money is in whole fen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from analytics.marts.columns import MaskedArray, dates, money, number, sum_by_slot
from analytics.marts.row_layout import HISTORY_BITS
from data.dates import month_end
from data.errors import UserError

FLOWS = ("interest", "fees", "margin", "funding_cost", "expected_loss", "operating_cost")
# Months since a service last brought income stand in four bits each: 15 is fifteen or more, or never.
NEVER = 15
_NIBBLE = 4
_HISTORY = 12 * HISTORY_BITS
# Fen: decimal(15, 2) holds less.
_TOO_MUCH = 10**15


def of_loans(
    loans: Mapping[str, MaskedArray],
    places: np.ndarray,
    size: int,
    classes: Mapping[str, Sequence[str]],
) -> dict[str, MaskedArray]:
    """What a month's loans say of each of `size` customers: how many are open, sums, the most days past due and the
    worst class of those with a balance. Days and class are not known of a customer without such a loan, and days not
    where they are known of none of them.

    loans    the columns of LoanMartBuilder.of; only loans with a row count
    places   the place of each loan's borrower, -1 of one without a place
    classes  the classes of each scheme of loans, best first

    Raises UserError when a sum of amounts is 1e13 and more: it would not fit the marts.
    """
    # Loans that say nothing are counted for one customer more.
    at = np.where(loans["has_row"].values.astype(bool) & (places >= 0), places, size)
    is_open = loans["balance"].values > 0

    def count(which: np.ndarray) -> np.ndarray:
        return np.bincount(at[which], minlength=size + 1)[:size].astype(np.int16)

    def total(name: str) -> MaskedArray:
        sums = sum_by_slot(at, loans[name].values, size + 1)[:size]
        if np.abs(sums).max(initial=0) >= _TOO_MUCH:
            raise UserError("amount_too_large", name=name)
        return money(sums)

    def highest(values: np.ndarray) -> np.ndarray:
        found, which = np.zeros(size + 1, values.dtype), is_open & (values > 0)
        np.maximum.at(found, at[which], values[which])
        return found[:size]

    def told(which: np.ndarray) -> np.ndarray:
        found = np.zeros(size + 1, bool)
        found[at[which]] = True
        return found[:size]

    days, has_open, products = loans["days_past_due"], told(is_open), loans["product_bit"].values
    bits = np.zeros(size + 1, products.dtype)
    for bit in range(int(products.max(initial=0)).bit_length()):
        bits[at[products == 1 << bit]] |= 1 << bit
    sums = ("overdue_amount", "funding_cost", "expected_loss", "operating_cost")
    return {
        "loans_open": number(count(is_open)),
        "loans_settled": number(count(loans["is_settled"].values.astype(bool))),
        "loan_balance": total("balance"),
        "interest": total("interest_received"),
        **{name: total(name) for name in sums},
        "days_past_due": number(highest(days.values), told(is_open & days.is_known)),
        "count_instalments_late_in_a_row": number(highest(loans["count_instalments_late"].values)),
        "product_bits": number(bits[:size]),
        **{
            f"worst_{scheme}": MaskedArray(
                pa.string(),
                highest(loans[f"class_{scheme}"].values).astype(np.int32),
                has_open,
                tuple(codes),
            )
            for scheme, codes in classes.items()
        },
    }


def flows(
    borrowed: Mapping[str, MaskedArray],
    earned: Mapping[str, MaskedArray],
    saved: Mapping[str, MaskedArray],
) -> dict[str, MaskedArray]:
    """The month's amounts: of loans, of services, of deposits; an operating cost is of loans and of deposits."""
    found = {
        name: borrowed[name].filled(0) for name in ("interest", "funding_cost", "expected_loss")
    }
    found |= {"fees": earned["fees"].filled(0), "margin": saved["margin"].filled(0)}
    found["operating_cost"] = borrowed["operating_cost"].filled(0) + saved["operating_cost"].filled(
        0
    )
    return {name: money(found[name]) for name in FLOWS}


def twelve_months(
    month: Mapping[str, MaskedArray],
    before: Callable[[str], MaskedArray],
    year_ago: Mapping[str, MaskedArray],
) -> dict[str, MaskedArray]:
    """Sums of the last twelve months: last month's, and this month less the month a year ago."""
    return {
        f"{name}_12m": money(
            before(f"{name}_12m").filled(0) - year_ago[name].filled(0) + month[name].filled(0)
        )
        for name in FLOWS
    }


def earliest(one: MaskedArray, other: MaskedArray) -> MaskedArray:
    """The earlier date of two; the one that is known."""
    latest = np.iinfo(np.int32).max
    found = np.minimum(one.filled(latest), other.filled(latest))
    return dates(found, found < latest)


class DelinquencyWindow:
    """Days past due at the month ends of the last twelve months, of those customers who had any."""

    def __init__(self) -> None:
        self._months: dict[date, tuple[np.ndarray, np.ndarray]] = {}

    def keep(self, month: date, places: np.ndarray, days: np.ndarray) -> None:
        """The days at a month end, all above 0."""
        self._months = {
            day: told for day, told in self._months.items() if day > month_end(month, -12)
        }
        self._months[month] = places, days

    def facts(self, month: date, days: np.ndarray) -> dict[str, MaskedArray]:
        """The highest days, and in how many months there were any, over six and twelve months up to `month` with
        `days` (0 where there are none or none are known).
        """
        found = {}
        for months in (6, 12):
            highest, late = days.astype(np.int32), (days > 0).astype(np.uint8)
            for day, (places, then) in self._months.items():
                if day > month_end(month, -months):
                    highest[places] = np.maximum(highest[places], then)
                    late[places] += 1
            found[f"max_days_past_due_{months}m"] = number(highest)
            found[f"months_past_due_{months}m"] = number(late)
        return found


def services(before: MaskedArray, earned: Sequence[MaskedArray]) -> MaskedArray:
    """Months since each kind of service last brought income, packed; a month on. `earned` are the months, kind by kind,
    where the kind brought income that came to be known this month.
    """
    every = np.uint64(sum(1 << _NIBBLE * kind for kind in range(len(earned))))
    ages = before.filled(sum(NEVER << _NIBBLE * kind for kind in range(len(earned))))
    is_full = (
        ages & (ages >> np.uint64(1)) & (ages >> np.uint64(2)) & (ages >> np.uint64(3)) & every
    )
    ages = ages + (every ^ is_full)
    for kind, column in enumerate(earned):
        places = np.flatnonzero(column.is_known)
        low = np.uint64(_NIBBLE * kind)
        told, mask = ages[places], np.uint64(NEVER) << low
        since = np.minimum(
            (told & mask) >> low, np.minimum(column.values[places], NEVER).astype(np.uint64)
        )
        ages[places] = (told & ~mask) | (since << low)
    return number(ages)


def services_held(ages: MaskedArray, kinds: int) -> np.ndarray:
    """How many kinds of service brought income within twelve months: those whose months are below 12."""
    every = np.uint64(sum(1 << _NIBBLE * kind for kind in range(kinds)))
    return kinds - np.bitwise_count(
        ages.values >> np.uint64(3) & ages.values >> np.uint64(2) & every
    )


def percentile(values: np.ndarray) -> MaskedArray:
    """Share of customers with a lower value, in whole per cent: 0 for the lowest, 100 for the highest if it is alone.

    The share is of all others: 100 × customers with a lower value / (customers − 1), rounded down.
    """
    others = max(len(values) - 1, 1)
    ranked = np.sort(values)
    # Before the n-th customer in order stand n: from that n on the share reaches the per cent.
    first = -(-np.arange(1, 101) * others // 100)
    first = first[first <= len(values) - 1]
    # A value lies beyond n customers exactly if it is above the n-th of them.
    return number(np.searchsorted(ranked[first - 1], values, side="left").astype(np.uint8))


def history(before: MaskedArray, last: MaskedArray, new: int) -> MaskedArray:
    """Classes of the twelve months before, four bits each, the newest lowest, with that of last month; `new` where
    there was no customer.
    """
    never = np.uint64(sum(new << low for low in range(0, _HISTORY, HISTORY_BITS)))
    kept = before.filled(never) & np.uint64((1 << _HISTORY) - 1)
    return number((kept << np.uint64(HISTORY_BITS)) | last.filled(new).astype(np.uint64))
