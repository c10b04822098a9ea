"""The invariants on the data, asked of the edition served (spec of the metrics, invariants 1 to 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pandas as pd

from analytics.analysis.attribution import bridge
from analytics.analysis.migration import EXITS, JOINED, MOVED_IN, MigrationQuery, matrix
from analytics.metrics import drilldown, query
from analytics.metrics.query import Question
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import BOARDS
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import Warehouse
from data.errors import UserError

# A sum of exact sums in double: a hundredth of a fen per million yuan is far below the smallest amount there is.
CENT = 0.005


# Cells larger than this are counted, not fetched, when the data page checks that a cell opens its n.
FETCHED = 2_000


@dataclass(frozen=True)
class Check:
    """One invariant: `cases` comparisons made, and those that failed in words (metric, scheme or month, both sides)."""

    number: int
    cases: int
    failed: tuple[str, ...]

    @property
    def holds(self) -> bool | None:
        """None where nothing could be compared."""
        return not self.failed if self.cases else None


def checks(bank: Warehouse, as_of: date) -> list[Check]:
    """Invariants 1 to 6 and 10 of the metrics, asked of this edition: over all months; at `as_of`, against the month
    before, for moves, bridges and lists."""
    months = len([month for month in bank.edition.months if month <= as_of])
    asked = Question("customers", as_of, last=months)
    return [
        _made(1, _tiers_add_up(bank, asked)),
        _made(2, _moves_add_up(bank, asked.about(last=1, opening=0))),
        _made(3, _ratio_is_provision_by_coverage(bank, asked)),
        _made(4, _overdue_falls_with_days(bank, asked)),
        _made(5, _bridges_close(bank, asked.about(last=1))),
        _made(6, _cells_open_their_n(bank, asked.about(last=1))),
        _made(10, _one_class_each(bank, asked.about(last=1))),
    ]


def _made(number: int, cases: Iterator[tuple[str, float, float, bool]]) -> Check:
    seen = list(cases)
    return Check(
        number,
        len(seen),
        tuple(f"{name}: {left:,.2f} / {right:,.2f}" for name, left, right, ok in seen if not ok),
    )


def _asked(bank: Warehouse, question: Question) -> pd.DataFrame | None:
    """The answer with `as_of` in front, or None where this edition cannot answer."""
    try:
        answer = query.ask(bank, question)
    except UserError:
        return None
    return answer if "as_of" in answer else answer.assign(as_of=pd.Timestamp(question.as_of))


def _tiers_add_up(bank: Warehouse, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    for metric in ("customers", "balance", "contribution_net"):
        for scheme in BOARDS:
            for opening in (0, 3):
                question = asked.about(metric, scheme=scheme, opening=opening)
                parts, whole = _asked(bank, question.about(by=("class",))), _asked(bank, question)
                if parts is None or whole is None:
                    continue
                totals = dict(zip(whole["as_of"], whole["value"], strict=True))
                for month, total in parts.groupby("as_of")["value"].sum().items():
                    name = f"{metric} {scheme} {opening} {str(month)[:7]}"
                    yield name, total, totals[month], abs(total - totals[month]) < CENT


def _moves_add_up(bank: Warehouse, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    outside = (JOINED, MOVED_IN, *EXITS)
    for scheme in BOARDS:
        of_loans = schemes()[scheme].grain == "loan"
        counts = asked.about("loans" if of_loans else "customers", by=("class",), scheme=scheme)
        before = month_end(asked.as_of, -1)
        try:
            found = matrix(bank, MigrationQuery(asked.about(scheme=scheme), before))
        except UserError:
            continue
        for side, day in (("before", before), ("after", asked.as_of)):
            told = found[~found[side].isin(outside)].groupby(side)["n"].sum()
            stood = _asked(bank, counts.about(as_of=day))
            stood = {} if stood is None else dict(zip(stood["class"], stood["n"], strict=True))
            for code in sorted({*told.index, *stood}):
                left, right = int(told.get(code, 0)), int(stood.get(code, 0))
                yield f"{scheme} {side} {str(day)[:7]} {code}", left, right, left == right


def _bridges_close(bank: Warehouse, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    before = month_end(asked.as_of, -1)
    for metric in (
        "overdue_rate_30",
        "npl_ratio",
        "reloan_rate_90",
        "contribution_net_per_customer",
    ):
        for split in ("class", "branch_1", "channel"):
            try:
                found = bridge(bank, asked.about(metric, by=(split,)), before)
            except UserError:
                continue
            scale = max(1.0, abs(found.whole["value"]), abs(found.whole["value_before"]))
            explained = float(found.parts["effect"].sum())
            yield (
                f"{metric} {split} {before}",
                found.change,
                explained,
                abs(found.residual) < 1e-9 * scale,
            )


def _ratio_is_provision_by_coverage(
    bank: Warehouse, asked: Question
) -> Iterator[tuple[str, float, float, bool]]:
    ratio, provided, coverage = (
        _asked(bank, asked.about(metric))
        for metric in ("npl_ratio", "loan_provision_ratio", "coverage")
    )
    if ratio is None or provided is None or coverage is None:
        return
    three = zip(ratio["as_of"], ratio["value"], provided["value"], coverage["value"], strict=True)
    for month, npl, share, cover in three:
        if npl > 0 and cover > 0:
            yield str(month)[:7], npl, share / cover, abs(npl - share / cover) < 1e-9


def _overdue_falls_with_days(
    bank: Warehouse, asked: Question
) -> Iterator[tuple[str, float, float, bool]]:
    for kind in ("", "_customers", "_loans"):
        ladder = [
            _asked(bank, asked.about(f"overdue_rate{days}{kind}"))
            for days in ("", "_30", "_60", "_90")
        ]
        for milder, harder in pairwise(ladder):
            if milder is None or harder is None:
                continue
            for month, more, less in zip(
                milder["as_of"], milder["numerator"], harder["numerator"], strict=True
            ):
                yield f"{kind} {str(month)[:7]}", more, less, more >= less


def _cells_open_their_n(
    bank: Warehouse, asked: Question
) -> Iterator[tuple[str, float, float, bool]]:
    for metric in ("customers", "overdue_rate_30", "reloan_rate_90"):
        question = asked.about(metric, by=("class",))
        answer = _asked(bank, question)
        for row in () if answer is None else answer.itertuples():
            cell = {"class": row[1]}
            listed = drilldown.count_rows(bank, question, cell)
            if row.n <= FETCHED:
                listed = len(drilldown.list_rows(bank, question, cell, limit=FETCHED + 1))
            yield f"{metric} {row[1]}", row.n, listed, row.n == listed


def _one_class_each(bank: Warehouse, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    kept = bank.query("select * from customer_month limit 0").columns
    for scheme in (scheme for scheme in schemes() if scheme in kept):
        told = bank.query(load("questions/class_uniqueness", scheme=scheme), None, as_of=asked.as_of).iloc[
            0
        ]
        yield (
            f"{scheme} {asked.as_of}",
            told["customers"],
            told["graded"],
            told["customers"] == told["graded"],
        )
        yield (
            f"{scheme} {asked.as_of}",
            told["customers"],
            told["lines"],
            told["customers"] == told["lines"],
        )
