"""A seeded invented bank of any size with a story to find."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from data.demo.delivery import key
from data.demo.people import LATER, draw_types
from data.demo.story import TYPES, month_of
from data.demo.world import World

__all__ = ["TYPES", "hidden_misgraded", "hidden_types", "write", "write_next"]

DEFAULT_AS_OF = date(2026, 10, 31)
FORMS = ("parquet", "csv")


def write(
    to: Path,
    customers: int,
    months: int,
    seed: int,
    as_of: date = DEFAULT_AS_OF,
    form: str = "parquet",
    progress: Callable[[int, int], None] | None = None,
    anchor: date | None = None,
) -> dict:
    """Write the full delivery of `months` month ends up to `as_of` into folder `to`; returns its manifest.

    `progress(done, total)` is called after each month lived through. `anchor` is the month end on which the story
    hangs, `as_of` unless told otherwise: the bank of a later as-of with the anchor of an earlier one is the same bank
    grown older. Raises ValueError for sizes, dates or forms that make no bank.
    """
    last = _check(customers, months, seed, as_of, form)
    tied = last if anchor is None else _month_end(anchor)
    if not 0 <= last - tied <= LATER:
        raise ValueError(f"anchor is {anchor}: it must lie at most {LATER} months before as_of {as_of}, and not after it")
    return World(customers, seed, last - months + 1, tied, last).live(to, form, False, progress)


def write_next(
    to: Path,
    customers: int,
    months: int,
    seed: int,
    as_of: date = DEFAULT_AS_OF,
    form: str = "parquet",
    progress: Callable[[int, int], None] | None = None,
    step: int = 1,
) -> dict:
    """Write the increment that follows `write(...)` of the same arguments: the month `step` months after `as_of`.

    The bank is the one of `write`, lived one month further: new events, new and changed customers and loans; branches,
    managers and products in full.
    """
    last = _check(customers, months, seed, as_of, form)
    if not 1 <= step <= LATER:
        raise ValueError(f"step is {step}: an increment lies 1 to {LATER} months after as_of")
    world = World(customers, seed, last - months + 1, last, last + step)
    return world.live(to, form, True, progress)


def hidden_types(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """For tests only: customer_id and behavioural type (words of TYPES) of the customers of `write(...)`."""
    kind, _, _ = draw_types(customers, seed)
    ids = key("C", np.arange(customers) + 1, 8).to_numpy(zero_copy_only=False)
    return ids, np.array(TYPES)[kind]


def hidden_misgraded(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """For tests only: customer_id of the hidden good in low grades, and of the hidden bad in high grades."""
    ids, _ = hidden_types(customers, seed)
    _, good, bad = draw_types(customers, seed)
    return ids[good], ids[bad]


def _check(customers, months, seed, as_of, form) -> int:
    if customers < 100:
        raise ValueError(f"customers is {customers}: a demo bank needs at least 100")
    if not 1 <= months <= 240:
        raise ValueError(f"months is {months}: between 1 and 240 can be written")
    if seed < 0:
        raise ValueError(f"seed is {seed}: it must not be negative")
    if form not in FORMS:
        raise ValueError(f"form is {form!r}: it must be one of {', '.join(FORMS)}")
    return _month_end(as_of)


def _month_end(day: date) -> int:
    month = int(month_of(np.datetime64(day, "D").astype(np.int64)))
    if np.datetime64(day, "D") + 1 != np.datetime64(month + 1, "M").astype("datetime64[D]"):
        raise ValueError(f"{day} is not the last day of a month: as-of dates are month ends")
    return month
