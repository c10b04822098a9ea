"""Class schemes as the marts store them: opening dates, board schemes and class codes."""

from __future__ import annotations

from datetime import date

from analytics import rulebooks

OPENINGS = (1, 3, 12)


# A class at the opening of a customer or loan that was not there yet; the class by loans of a
# customer without one.
NEW, NONE = "new", "no_loan"


# The schemes that the boards open with: their openings and cubes are kept. The class of the day is
# kept for every scheme, the opening of another one is looked up when asked for: eleven schemes at
# four openings would fill half a row.
BOARDS = ("abcd", "loan_five")


def class_codes(scheme: rulebooks.Scheme) -> list[str]:
    """The classes of all editions of a scheme, best first, then what stands for no class: an enum,
    and its numbers.
    """
    return [*scheme.class_codes, NONE, NEW]


def in_force(scheme: rulebooks.Scheme, as_of: date) -> rulebooks.Rulebook | None:
    """The scheme's edition of that day; None before its first one and after a repeal."""
    try:
        return scheme.edition(as_of)
    except rulebooks.NoEdition:
        return None
