"""SQL for classes as numbers: their enum, the class of a day, and the histories of classes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from analytics import rulebooks
from analytics.marts.bit_packing import enum_type, slice_bits
from analytics.rulebooks import Scheme
from analytics.rulebooks.schemes import class_codes, in_force

HISTORY_BITS = 4
HISTORY_MONTHS = 12


def class_type(scheme: Scheme) -> str:
    """Return the enum of a scheme: the classes of all its editions, best first, then the others."""
    return enum_type(class_codes(scheme))


def class_code(scheme: Scheme, sql: str) -> str:
    """Return SQL for the number of a class (SQL), in the order of `class_codes`."""
    return f"enum_code(cast({sql} as {class_type(scheme)}))"


def class_number(scheme: Scheme, as_of: date) -> str:
    """Return SQL that decides the class of a day and gives its number in `class_codes`.

    The rules write numbers, not texts, because a text per row would be slow.
    """
    book = in_force(scheme, as_of)
    codes = class_codes(scheme)
    if book is None:
        number = str(codes.index(rulebooks.UNRATED))
    else:
        number = book.to_sql(written=lambda code: str(codes.index(code)))
    return f"cast({number} as utinyint)"


def recode_history(history: str, before: Sequence[str], now: Sequence[str]) -> str:
    """Return SQL for a history (SQL) with the class numbers of another edition of the scheme.

    Parameters
    ----------
    before
        The class codes whose positions the history holds.
    now
        The class codes whose positions it shall hold; a class that no longer exists becomes
        unrated.
    """
    if list(before) == list(now):
        return history
    unrated = now.index(rulebooks.UNRATED)
    numbers = [now.index(name) if name in now else unrated for name in before]
    table = f"[{', '.join(str(number) for number in numbers)}]"
    return " | ".join(
        f"({table}[{slice_bits(history, offset, HISTORY_BITS)}::integer + 1]::ubigint << {offset})"
        for offset in range(0, HISTORY_MONTHS * HISTORY_BITS, HISTORY_BITS)
    )
