"""Month ends: the only calendar arithmetic of the product."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange


def is_month_end(day: dt.date) -> bool:
    """Return whether a day is the last one of its month."""
    return (day + dt.timedelta(days=1)).day == 1


def months_between(first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the month ends from `first` to `last`, both included."""
    count = (last.year - first.year) * 12 + last.month - first.month
    return [month_end(first, months) for months in range(count + 1)]


def month_end(day: dt.date, months: int = 0) -> dt.date:
    """Return the last day of the month that lies `months` after the month of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, monthrange(year, month + 1)[1])


def next_month_end(day: dt.date) -> dt.date:
    """Return the first month end after `day`."""
    return month_end(day + dt.timedelta(days=1))
