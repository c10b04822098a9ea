"""Month ends: the only calendar arithmetic of the product."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from datetime import date


def is_month_end(day: dt.date) -> bool:
    return (day + dt.timedelta(days=1)).day == 1


def months_between(first: dt.date, last: dt.date) -> list[dt.date]:
    """The month ends from `first` to `last`, both included."""
    months, year, month = [], first.year, first.month
    while (year, month) <= (last.year, last.month):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        months.append(dt.date(year, month, 1) - dt.timedelta(days=1))
    return months


def month_end(day: date, months: int = 0) -> date:
    """The last day of the month that lies `months` after the month of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])


def next_month_end(day: dt.date) -> dt.date:
    first = (day + dt.timedelta(days=1)).replace(day=1)
    return months_between(first, first)[0]
