"""The invariants of the data, checked on the edition served (numbers 1 to 6, 10 and 11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import pandas as pd

from analytics.analysis.attribution import bridge
from analytics.analysis.migration import EXITS, JOINED, MOVED_IN, MigrationQuery, matrix
from analytics.metrics import drilldown
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import BOARDS
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError

# Allowed difference of sums in double, in CNY: half of the smallest amount there is.
HALF_FEN = 0.005
# Larger cells are only counted, not listed, when the data page checks that a cell opens its n.
MAX_LISTED = 2_000
_RATIO_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Check:
    """One invariant: the number of comparisons, and the failed ones as text (both sides)."""

    number: int
    cases: int
    failed: tuple[str, ...]

    @property
    def holds(self) -> bool | None:
        """None where nothing could be compared."""
        return not self.failed if self.cases else None


class Comparison(NamedTuple):
    """Two numbers that must be equal, or in order, and whether they are."""

    name: str
    left: float
    right: float
    holds: bool


Comparisons = Iterator[Comparison]


def checks(warehouse: Warehouse, as_of: date) -> list[Check]:
    """Check the invariants: over all months, and at `as_of` for moves, bridges and lists."""
    months = len([month for month in warehouse.edition.months if month <= as_of])
    all_months = Question("customers", as_of, last=months)
    single = Question("customers", as_of)
    return [
        check_of(1, _tiers_add_up(warehouse, all_months)),
        check_of(2, _moves_add_up(warehouse, single.with_changes(opening=0))),
        check_of(3, _ratio_is_provision_by_coverage(warehouse, all_months)),
        check_of(4, _overdue_falls_with_days(warehouse, all_months)),
        check_of(5, _bridges_close(warehouse, single)),
        check_of(6, _cells_open_their_n(warehouse, single)),
        check_of(10, _one_class_each(warehouse, single)),
        check_of(11, _borrowers_are_customers(warehouse, all_months)),
    ]


def check_of(number: int, comparisons: Comparisons) -> Check:
    """Return the result of one invariant."""
    all_comparisons = list(comparisons)
    failed = tuple(
        f"{name}: {left:,.2f} / {right:,.2f}"
        for name, left, right, holds in all_comparisons
        if not holds
    )
    return Check(number, len(all_comparisons), failed)


def _answer(warehouse: Warehouse, question: Question) -> pd.DataFrame | None:
    """The answer with `as_of`, or None where this edition cannot answer."""
    try:
        answer = ask(warehouse, question)
    except UserError:
        return None
    if "as_of" in answer:
        return answer
    return answer.assign(as_of=pd.Timestamp(question.as_of))


def _tiers_add_up(warehouse: Warehouse, question: Question) -> Comparisons:
    for metric in ("customers", "balance", "contribution_net"):
        for scheme in BOARDS:
            for opening in (0, 3):
                about = question.with_changes(metric, scheme=scheme, opening=opening)
                parts = _answer(warehouse, about.with_changes(by=("class",)))
                whole = _answer(warehouse, about)
                if parts is None or whole is None:
                    continue
                sums = parts.groupby("as_of")["value"].sum()
                totals = whole.set_index("as_of")["value"]
                for month, total in sums.items():
                    name = f"{metric} {scheme} {opening} {str(month)[:7]}"
                    is_equal = abs(total - totals[month]) < HALF_FEN
                    yield Comparison(name, total, totals[month], is_equal)


def _borrowers_are_customers(warehouse: Warehouse, question: Question) -> Comparisons:
    """Compare the customers with a loan and the borrowers of the loans, at every month end."""
    customers = _answer(warehouse, question)
    borrowers = _answer(warehouse, question.with_changes("borrowers"))
    if customers is None or borrowers is None:
        return
    totals = borrowers.set_index("as_of")["value"]
    for month, count in zip(customers["as_of"], customers["value"], strict=True):
        other = totals.get(month, 0)
        yield Comparison(f"borrowers {str(month)[:7]}", count, other, count == other)


def _moves_add_up(warehouse: Warehouse, question: Question) -> Comparisons:
    before = month_end(question.as_of, -1)
    for scheme in BOARDS:
        about = question.with_changes(scheme=scheme)
        try:
            moves = matrix(warehouse, MigrationQuery(about, before))
        except UserError:
            continue
        for side, day in (("before", before), ("after", question.as_of)):
            yield from _margin_is_count(warehouse, about.with_changes(as_of=day), moves, side)


def _margin_is_count(
    warehouse: Warehouse, question: Question, moves: pd.DataFrame, side: str
) -> Comparisons:
    """Compare one margin of the migration matrix with the number by class on that day."""
    outside = (JOINED, MOVED_IN, *EXITS)
    margin = moves[~moves[side].isin(outside)].groupby(side)["n"].sum()
    metric = "loans" if schemes()[question.scheme].grain == "loan" else "customers"
    answer = _answer(warehouse, question.with_changes(metric, by=("class",)))
    counts = {} if answer is None else dict(zip(answer["class"], answer["n"], strict=True))
    for code in sorted({*margin.index, *counts}):
        left = int(margin.get(code, 0))
        right = int(counts.get(code, 0))
        name = f"{question.scheme} {side} {str(question.as_of)[:7]} {code}"
        yield Comparison(name, left, right, left == right)


def _bridges_close(warehouse: Warehouse, question: Question) -> Comparisons:
    before = month_end(question.as_of, -1)
    metrics = ("overdue_rate_30", "npl_ratio", "reloan_rate_90", "contribution_net_per_customer")
    for metric in metrics:
        for dimension in ("class", "branch_1", "channel"):
            try:
                result = bridge(warehouse, question.with_changes(metric, by=(dimension,)), before)
            except UserError:
                continue
            largest = max(1.0, abs(result.whole["value"]), abs(result.whole["value_before"]))
            explained = float(result.parts["effect"].sum())
            is_closed = abs(result.residual) < _RATIO_TOLERANCE * largest
            name = f"{metric} {dimension} {before}"
            yield Comparison(name, result.change, explained, is_closed)


def _ratio_is_provision_by_coverage(warehouse: Warehouse, question: Question) -> Comparisons:
    ratio = _answer(warehouse, question.with_changes("npl_ratio"))
    provision = _answer(warehouse, question.with_changes("loan_provision_ratio"))
    coverage = _answer(warehouse, question.with_changes("coverage"))
    if ratio is None or provision is None or coverage is None:
        return
    values = (ratio["as_of"], ratio["value"], provision["value"], coverage["value"])
    for month, npl, share, cover in zip(*values, strict=True):
        if npl > 0 and cover > 0:
            is_equal = abs(npl - share / cover) < _RATIO_TOLERANCE
            yield Comparison(str(month)[:7], npl, share / cover, is_equal)


def _overdue_falls_with_days(warehouse: Warehouse, question: Question) -> Comparisons:
    for kind in ("", "_customers", "_loans"):
        ladder = [
            _answer(warehouse, question.with_changes(f"overdue_rate{days}{kind}"))
            for days in ("", "_30", "_60", "_90")
        ]
        for milder, harder in pairwise(ladder):
            if milder is None or harder is None:
                continue
            values = (milder["as_of"], milder["numerator"], harder["numerator"])
            for month, more, less in zip(*values, strict=True):
                yield Comparison(f"{kind} {str(month)[:7]}", more, less, more >= less)


def _cells_open_their_n(warehouse: Warehouse, question: Question) -> Comparisons:
    for metric in ("customers", "overdue_rate_30", "reloan_rate_90"):
        about = question.with_changes(metric, by=("class",))
        answer = _answer(warehouse, about)
        if answer is None:
            continue
        for code, n in zip(answer["class"], answer["n"], strict=True):
            cell = {"class": code}
            rows = drilldown.count_rows(warehouse, about, cell)
            if n <= MAX_LISTED:
                rows = len(drilldown.list_rows(warehouse, about, cell, limit=MAX_LISTED + 1))
            yield Comparison(f"{metric} {code}", n, rows, n == rows)


def _one_class_each(warehouse: Warehouse, question: Question) -> Comparisons:
    columns = warehouse.query("select * from customer_month limit 0").columns
    for scheme in (scheme for scheme in schemes() if scheme in columns):
        sql = load("questions/class_uniqueness", scheme=scheme)
        counts = warehouse.query(sql, None, as_of=question.as_of).iloc[0]
        for name in ("graded", "lines"):
            is_equal = counts["customers"] == counts[name]
            label = f"{scheme} {question.as_of}"
            yield Comparison(label, counts["customers"], counts[name], is_equal)
