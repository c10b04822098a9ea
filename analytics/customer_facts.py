"""What a month adds to the facts of customers, over whole arrays (analytics/roster.py): sums of twelve months, days
past due of the last twelve, services, shares of customers. Money is in whole fen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np

from analytics.course import month_end
from analytics.layout import HISTORY_BITS
from analytics.roster import Column, dates, money, number

FLOWS = ("interest", "fees", "margin", "funding_cost", "expected_loss", "operating_cost")
# Months since a service last brought income stand in four bits each: 15 is fifteen or more, or never.
NEVER = 15
_NIBBLE = 4
_HISTORY = 12 * HISTORY_BITS


def flows(
    borrowed: Mapping[str, Column], earned: Mapping[str, Column], saved: Mapping[str, Column]
) -> dict[str, Column]:
    """The month's amounts: of loans, of services, of deposits; an operating cost is of loans and of deposits."""
    found = {name: borrowed[name].filled(0) for name in ("interest", "funding_cost", "expected_loss")}
    found |= {"fees": earned["fees"].filled(0), "margin": saved["margin"].filled(0)}
    found["operating_cost"] = borrowed["operating_cost"].filled(0) + saved["operating_cost"].filled(0)
    return {name: money(found[name]) for name in FLOWS}


def twelve_months(
    month: Mapping[str, Column], before: Callable[[str], Column], year_ago: Mapping[str, Column]
) -> dict[str, Column]:
    """Sums of the last twelve months: last month's, and this month less the month a year ago."""
    return {
        f"{name}_12m": money(before(f"{name}_12m").filled(0) - year_ago[name].filled(0) + month[name].filled(0))
        for name in FLOWS
    }


def least(one: Column, other: Column) -> Column:
    """The earlier date of two; the one that is known."""
    latest = np.iinfo(np.int32).max
    found = np.minimum(one.filled(latest), other.filled(latest))
    return dates(found, found < latest)


class Lateness:
    """Days past due at the month ends of the last twelve months, of those customers who had any."""

    def __init__(self) -> None:
        self._months: dict[date, tuple[np.ndarray, np.ndarray]] = {}

    def keep(self, month: date, places: np.ndarray, days: np.ndarray) -> None:
        """The days at a month end, all above 0."""
        self._months = {day: told for day, told in self._months.items() if day > month_end(month, -12)}
        self._months[month] = places, days

    def facts(self, month: date, days: np.ndarray) -> dict[str, Column]:
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


def services(before: Column, earned: Sequence[Column]) -> Column:
    """Months since each kind of service last brought income, packed; a month on. `earned` are the months, kind by kind,
    where the kind brought income that came to be known this month.
    """
    every = np.uint64(sum(1 << _NIBBLE * kind for kind in range(len(earned))))
    ages = before.filled(sum(NEVER << _NIBBLE * kind for kind in range(len(earned))))
    is_full = ages & (ages >> np.uint64(1)) & (ages >> np.uint64(2)) & (ages >> np.uint64(3)) & every
    ages = ages + (every ^ is_full)
    for kind, column in enumerate(earned):
        places = np.flatnonzero(column.is_known)
        low = np.uint64(_NIBBLE * kind)
        told, mask = ages[places], np.uint64(NEVER) << low
        since = np.minimum((told & mask) >> low, np.minimum(column.values[places], NEVER).astype(np.uint64))
        ages[places] = (told & ~mask) | (since << low)
    return number(ages)


def services_held(ages: Column, kinds: int) -> np.ndarray:
    """How many kinds of service brought income within twelve months: those whose months are below 12."""
    every = np.uint64(sum(1 << _NIBBLE * kind for kind in range(kinds)))
    return kinds - np.bitwise_count(ages.values >> np.uint64(3) & ages.values >> np.uint64(2) & every)


def percentile(values: np.ndarray) -> Column:
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


def history(before: Column, last: Column, new: int) -> Column:
    """Classes of the twelve months before, four bits each, the newest lowest, with that of last month; `new` where
    there was no customer.
    """
    never = np.uint64(sum(new << low for low in range(0, _HISTORY, HISTORY_BITS)))
    kept = before.filled(never) & np.uint64((1 << _HISTORY) - 1)
    return number((kept << np.uint64(HISTORY_BITS)) | last.filled(new).astype(np.uint64))
