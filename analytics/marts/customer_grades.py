"""Classes of customers: one is graded again only when a rule input crosses a threshold (27a)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from math import ceil, floor
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.marts.class_sql import class_number
from analytics.marts.columns import CustomerIndex, MaskedArray, number, to_arrow_table
from analytics.marts.context import BuildContext, step_table
from analytics.marts.row_layout import sql_list
from analytics.rulebooks import Rulebook, Scheme
from analytics.rulebooks.schemes import in_force
from analytics.sql.templates import fragment
from data.editions.part_writer import BuildSession

# Facts that follow from attributes alone change only with these; has_loan follows from the balance.
_FROM_ATTRIBUTES = ("family_monthly_income",)
_COLUMN_OF_FACT = {"has_loan": "loan_balance"}
_FEN_PER_YUAN = 100


class CustomerGrader:
    """Grades customers by some schemes, month after month.

    Parameters
    ----------
    schemes
        The schemes to grade by.
    signals
        The facts that customer_signals_known.sql computes from columns of the same names.
    """

    def __init__(
        self,
        session: BuildSession,
        context: BuildContext,
        schemes: Sequence[Scheme],
        signals: Sequence[str],
    ) -> None:
        self.session = session
        self.context = context
        self.schemes = schemes
        self.signals = signals
        self._graded_by: tuple = ()
        self._buckets: dict[str, np.ndarray] = {}
        self._classes: dict[str, np.ndarray] = {}

    def grade(
        self,
        month: date,
        index: CustomerIndex,
        facts: Mapping[str, MaskedArray],
        attributes_changed: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Return the class number of every customer by scheme, shape (customers,).

        Parameters
        ----------
        index
            The customers with their attributes.
        facts
            Their facts of the month.
        attributes_changed
            Slots of customers whose attributes changed in the month.
        """
        books = [in_force(scheme, month) for scheme in self.schemes]
        slots = self._must_regrade(books, index, facts, attributes_changed)
        columns = {"customer_key": number(index.keys), **index.columns, **facts}
        if len(slots) < len(index):
            columns = {name: column.take(slots) for name, column in columns.items()}
        self.session.register(to_arrow_table(columns), "customer_fact")
        numbers = [f"{class_number(s, month)} as {s.id}" for s in self.schemes]
        rows = step_table(
            self.session,
            "customer_class",
            self.context.parameters(month),
            attributes=fragment("customer_attributes"),
            signal_names=", ".join(self.signals),
            signals_known=fragment("customer_signals_known").replace("warned.", "attribute."),
            graded=sql_list(numbers or ["1 as one"]),
        )
        self.session.unregister("customer_fact")
        slots = index.slots(rows.column("customer_key").to_numpy())
        for scheme in self.schemes:
            classes = np.zeros(len(index), np.uint8)
            before = self._classes.get(scheme.id, classes[:0])
            classes[: len(before)] = before
            classes[slots] = rows.column(scheme.id).to_numpy()
            self._classes[scheme.id] = classes
        return dict(self._classes)

    def _must_regrade(
        self,
        books: Sequence[Rulebook | None],
        index: CustomerIndex,
        facts: Mapping[str, MaskedArray],
        attributes_changed: np.ndarray,
    ) -> np.ndarray:
        """Return the slots of customers whose class may differ from last month's.

        These are new customers, those with other attributes, and those of whom a fact crossed a
        value that a rule compares it with.
        """
        everybody = np.arange(len(index))
        literals = _literals(books)
        names = {name for book in books if book for name in book.facts} - set(_FROM_ATTRIBUTES)
        column_of = {
            name: _COLUMN_OF_FACT.get(name, name)
            for name in names
            if name not in index.columns or name in facts
        }
        if not all(name in literals and column in facts for name, column in column_of.items()):
            # A fact moves with the calendar, or no rule compares it with a value.
            self._buckets = {}
            return everybody
        before = self._buckets
        self._buckets = {
            name: threshold_bucket(facts[column], literals[name])
            for name, column in column_of.items()
        }
        # Positions of texts are comparable only while the categories are the same.
        categories = {name: facts[column].categories for name, column in column_of.items()}
        graded_by = ([id(book) for book in books], categories)
        is_comparable = graded_by == self._graded_by
        self._graded_by = graded_by
        if not is_comparable or not before:
            return everybody
        may_differ = np.ones(len(index), bool)
        count = len(next(iter(before.values())))
        may_differ[:count] = False
        for name, buckets in self._buckets.items():
            may_differ[:count] |= buckets[:count] != before[name]
        may_differ[attributes_changed] = True
        return np.flatnonzero(may_differ)


def _literals(books: Iterable[Rulebook | None]) -> dict[str, set[Any]]:
    """Return for each fact the values that rules compare it with."""
    literals: dict[str, set[Any]] = {}
    for book in books:
        for rule in book.leaves() if book else ():
            values = literals.setdefault(rule.fact.name, set())
            if rule.fact.type not in ("code", "bool"):
                values.update(rule.literals)
    # The fact is true exactly if its column, an amount, is above 0.
    return literals | {name: {0} for name in _COLUMN_OF_FACT if name in literals}


def threshold_bucket(column: MaskedArray, literals: set[Any]) -> np.ndarray:
    """Return the threshold bucket of each value, shape (slots,), -1 for null.

    Two values share a bucket if and only if no rule distinguishes them. Without literals (codes and
    flags) the bucket is the value.

    Parameters
    ----------
    literals
        The values that rules compare the column with; of an amount in CNY.
    """
    if literals:
        scale = _FEN_PER_YUAN if pa.types.is_decimal(column.type) else 1
        buckets = np.zeros(len(column.values), np.int16)
        for literal in literals:
            threshold = Decimal(str(literal)) * scale
            buckets += column.values >= ceil(threshold)
            buckets += column.values > floor(threshold)
    else:
        buckets = column.values.astype(np.int16)
    return buckets if column.valid is None else np.where(column.valid, buckets, np.int16(-1))


def calendar_thresholds(books: Iterable[Rulebook], fact: str) -> list[str]:
    """Return the years of a fact at which a rule may decide otherwise than a year before."""
    literals = {
        int(literal)
        for book in books
        for rule in book.leaves()
        if rule.fact.name == fact
        for literal in rule.literals
    }
    thresholds = sorted(literals | {years + 1 for years in literals})
    return [str(years) for years in thresholds if years > 0]
