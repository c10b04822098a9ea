"""The classes of a month's customers: those of whom a fact crossed what a rule names are graded again, the others keep
theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from math import ceil, floor

import numpy as np
import pyarrow as pa

from analytics.marts.columns import CustomerIndex, MaskedArray, number, to_arrow_table
from analytics.marts.context import BuildContext, step_table
from analytics.marts.row_layout import class_number, lines
from analytics.rulebooks.schemes import in_force
from analytics.sql.templates import fragment
from data.editions.part_writer import BuildSession

# Facts that follow from attributes, and from another fact's column: they move when these do.
_OF_ATTRIBUTES = ("family_monthly_income",)
_SAME_AS = {"has_loan": "loan_balance"}
_CENT = 100


class CustomerGrader:
    """Grades customers month after month by some schemes.

    signals  the facts that customer_signals_known.sql tells out of columns of the same names
    """

    def __init__(
        self, shop: BuildSession, course: BuildContext, schemes: Sequence, signals: Sequence[str]
    ) -> None:
        self.shop, self.course, self.schemes, self.signals = shop, course, schemes, signals
        self._graded_by: tuple = ()
        self._sides: dict[str, np.ndarray] = {}
        self._classes: dict[str, np.ndarray] = {}

    def month(
        self,
        month: date,
        roster: CustomerIndex,
        facts: Mapping[str, MaskedArray],
        arrived: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """The number of everybody's class by each scheme; `arrived` are places of those whose attributes changed."""
        books = [in_force(scheme, month) for scheme in self.schemes]
        graded = self._graded_again(books, roster, facts, arrived)
        columns = {"customer_key": number(roster.keys), **roster.columns, **facts}
        if len(graded) < len(roster):
            columns = {name: column.at(graded) for name, column in columns.items()}
        self.shop.arrow(to_arrow_table(columns), "customer_fact")
        answer = step_table(
            self.shop,
            "customer_class.sql",
            self.course.bound(month),
            attributes=fragment("customer_attributes"),
            signal_names=", ".join(self.signals),
            signals_known=fragment("customer_signals_known").replace("warned.", "attribute."),
            graded=lines(
                [f"{class_number(s, month)} as {s.id}" for s in self.schemes] or ["1 as one"]
            ),
        )
        self.shop.forget("customer_fact")
        places = roster.places(answer.column("customer_key").to_numpy())
        for scheme in self.schemes:
            classes = np.zeros(len(roster), np.uint8)
            before = self._classes.get(scheme.id, classes[:0])
            classes[: len(before)] = before
            classes[places] = answer.column(scheme.id).to_numpy()
            self._classes[scheme.id] = classes
        return dict(self._classes)

    def _graded_again(
        self,
        books: Sequence,
        roster: CustomerIndex,
        facts: Mapping[str, MaskedArray],
        arrived: np.ndarray,
    ) -> np.ndarray:
        """The places of those who may have another class than last month: new ones, those with other attributes, and
        those of whom a fact moved across a value that a rule compares it with.
        """
        literals = _literals(books)
        asked = {name for book in books if book for name in book.facts} - set(_OF_ATTRIBUTES)
        told = {
            name: _SAME_AS.get(name, name)
            for name in asked
            if name not in roster.columns or name in facts
        }
        if not all(name in literals and column in facts for name, column in told.items()):
            # A fact that time moves, or one that no rule compares by itself: everybody is graded.
            self._sides = {}
            return np.arange(len(roster))
        before, self._sides = (
            self._sides,
            {n: threshold_bucket(facts[c], literals[n]) for n, c in told.items()},
        )
        # The same number of a text stands for another one where the words are others.
        graded_by = (
            [id(book) for book in books],
            {name: facts[column].words for name, column in told.items()},
        )
        is_same, self._graded_by = graded_by == self._graded_by, graded_by
        if not is_same or not before:
            return np.arange(len(roster))
        moved = np.ones(len(roster), bool)
        known = len(next(iter(before.values())))
        moved[:known] = False
        for name, now in self._sides.items():
            moved[:known] |= now[:known] != before[name]
        moved[arrived] = True
        return np.flatnonzero(moved)


def _literals(books: Sequence) -> dict[str, set]:
    """Fact → the values that rules compare it with."""
    found: dict[str, set] = {}
    for book in books:
        for rule in book.leaves() if book else ():
            found.setdefault(rule.fact.name, set()).update(
                () if rule.fact.type in ("code", "bool") else rule.literals
            )
    # As a fact it is true or false; as a balance it is above 0.
    return found | {name: {0} for name in _SAME_AS if name in found}


def threshold_bucket(column: MaskedArray, literals: set) -> np.ndarray:
    """On which side of the literals each value lies, or on which of them: a number that is the same for values that no
    rule can tell apart. Of codes and flags, which have no literals, the value itself. -1 where it is not known.
    """
    if literals:
        scale = _CENT if pa.types.is_decimal(column.type) else 1
        found = np.zeros(len(column.values), np.int16)
        for literal in literals:
            bound = Decimal(str(literal)) * scale
            found += column.values >= ceil(bound)
            found += column.values > floor(bound)
    else:
        found = column.values.astype(np.int16)
    return found if column.known is None else np.where(column.known, found, np.int16(-1))
