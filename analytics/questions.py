"""What a ratio cannot say: shares of a whole, what a load refused, what is absent, and the invariants on the data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import pandas as pd

from analytics import metrics, rows
from analytics.change import bridge
from analytics.course import month_end
from analytics.declared import METRICS
from analytics.layout import BOARDS
from analytics.metrics import Question
from analytics.moves import EXITS, JOINED, MOVED_IN, Moves, matrix
from data.contract import read_contract
from data.engine import Bank, Refused

_SQL = Path(__file__).parent / "sql" / "questions"
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


def shares(parts: Sequence[float], whole: float) -> list[float | None]:
    """Each part ÷ the whole; None where there is no whole."""
    return [part / whole if whole else None for part in parts]


def monthly_shares(answer: pd.DataFrame) -> pd.DataFrame:
    """An answer over months, by parts that make up a whole: every value as its share of the month's whole."""
    whole = answer.groupby("as_of")["value"].transform("sum")
    return answer.assign(value=answer["value"] / whole.where(whole != 0))


def reconciliation(bank: Bank) -> pd.DataFrame:
    """Per delivery and table what was read, loaded, rejected, skipped and orphaned, with the control totals in words.

    Columns: delivery, as_of, table, read, loaded, rejected, skipped, orphans, balanced, totals.
    """
    found = []
    for delivery in bank.query(_text("delivery_tables")).itertuples():
        for table, told in json.loads(delivery.tables).items():
            counts = {name: told[name] for name in ("read", "loaded", "rejected", "skipped", "orphans")}
            balanced = counts["read"] == counts["loaded"] + counts["rejected"] + counts["skipped"]
            totals = " · ".join(f"{column} {_grouped(total)}" for column, total in told["totals"].items())
            about = {"delivery": delivery.delivery, "as_of": delivery.as_of, "table": table}
            found.append(about | counts | {"balanced": balanced, "totals": totals})
    columns = ["delivery", "as_of", "table", "read", "loaded", "rejected", "skipped", "orphans", "balanced", "totals"]
    return pd.DataFrame(found, columns=columns)


def refused(bank: Bank, limit: int = 200) -> pd.DataFrame:
    """The rows refused at load, newest delivery first.

    Columns: delivery, table_name, file, line, column_name, value_masked, reason.
    """
    return bank.query(_text("refused_rows"), None, limit=limit)


def absent(bank: Bank) -> dict[str, list[str]]:
    """Contract table without rows → the metrics that need it. A bank tells its history by one of two ways, so the other
    way's tables do not count as absent."""
    with bank.lease() as view:
        empty = [
            table
            for table in read_contract().tables
            if table not in view.tables or not view.one(f"select exists (select 1 from {table})")[0]
        ]
    other = {"loan_snapshot"} if "loan_snapshot" in empty else {"instalment", "payment"}
    return {
        table: [id for id, metric in METRICS.items() if table in metric.needs and not metric.retired]
        for table in empty
        if table not in other
    }


def checks(bank: Bank, as_of: date) -> list[Check]:
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
        number, len(seen), tuple(f"{name}: {left:,.2f} / {right:,.2f}" for name, left, right, ok in seen if not ok)
    )


def _asked(bank: Bank, question: Question) -> pd.DataFrame | None:
    """The answer with `as_of` in front, or None where this edition cannot answer."""
    try:
        answer = metrics.ask(bank, question)
    except Refused:
        return None
    return answer if "as_of" in answer else answer.assign(as_of=pd.Timestamp(question.as_of))


def _tiers_add_up(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
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


def _moves_add_up(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    outside = (JOINED, MOVED_IN, *EXITS)
    for scheme in BOARDS:
        of_loans = metrics.schemes()[scheme].grain == "loan"
        counts = asked.about("loans" if of_loans else "customers", by=("class",), scheme=scheme)
        before = month_end(asked.as_of, -1)
        try:
            found = matrix(bank, Moves(asked.about(scheme=scheme), before))
        except Refused:
            continue
        for side, day in (("before", before), ("after", asked.as_of)):
            told = found[~found[side].isin(outside)].groupby(side)["n"].sum()
            stood = _asked(bank, counts.about(as_of=day))
            stood = {} if stood is None else dict(zip(stood["class"], stood["n"], strict=True))
            for code in sorted({*told.index, *stood}):
                left, right = int(told.get(code, 0)), int(stood.get(code, 0))
                yield f"{scheme} {side} {str(day)[:7]} {code}", left, right, left == right


def _bridges_close(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    before = month_end(asked.as_of, -1)
    for metric in ("overdue_rate_30", "npl_ratio", "reloan_rate_90", "contribution_net_per_customer"):
        for split in ("class", "branch_1", "channel"):
            try:
                found = bridge(bank, asked.about(metric, by=(split,)), before)
            except Refused:
                continue
            scale = max(1.0, abs(found.whole["value"]), abs(found.whole["value_before"]))
            explained = float(found.parts["effect"].sum())
            yield f"{metric} {split} {before}", found.change, explained, abs(found.residual) < 1e-9 * scale


def _ratio_is_provision_by_coverage(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    ratio, provided, coverage = (
        _asked(bank, asked.about(metric)) for metric in ("npl_ratio", "loan_provision_ratio", "coverage")
    )
    if ratio is None or provided is None or coverage is None:
        return
    three = zip(ratio["as_of"], ratio["value"], provided["value"], coverage["value"], strict=True)
    for month, npl, share, cover in three:
        if npl > 0 and cover > 0:
            yield str(month)[:7], npl, share / cover, abs(npl - share / cover) < 1e-9


def _overdue_falls_with_days(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    for kind in ("", "_customers", "_loans"):
        ladder = [_asked(bank, asked.about(f"overdue_rate{days}{kind}")) for days in ("", "_30", "_60", "_90")]
        for milder, harder in pairwise(ladder):
            if milder is None or harder is None:
                continue
            for month, more, less in zip(milder["as_of"], milder["numerator"], harder["numerator"], strict=True):
                yield f"{kind} {str(month)[:7]}", more, less, more >= less


def _cells_open_their_n(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    for metric in ("customers", "overdue_rate_30", "reloan_rate_90"):
        question = asked.about(metric, by=("class",))
        answer = _asked(bank, question)
        for row in () if answer is None else answer.itertuples():
            cell = {"class": row[1]}
            listed = rows.count(bank, question, cell)
            if row.n <= FETCHED:
                listed = len(rows.rows(bank, question, cell, limit=FETCHED + 1))
            yield f"{metric} {row[1]}", row.n, listed, row.n == listed


def _one_class_each(bank: Bank, asked: Question) -> Iterator[tuple[str, float, float, bool]]:
    kept = bank.query("select * from customer_month limit 0").columns
    for scheme in (scheme for scheme in metrics.schemes() if scheme in kept):
        told = bank.query(_text("one_class").format(scheme=scheme), None, as_of=asked.as_of).iloc[0]
        yield f"{scheme} {asked.as_of}", told["customers"], told["graded"], told["customers"] == told["graded"]
        yield f"{scheme} {asked.as_of}", told["customers"], told["lines"], told["customers"] == told["lines"]


def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")


def _grouped(total: str) -> str:
    whole, _, cents = str(total).partition(".")
    return f"{int(whole):,}" + (f".{cents}" if cents else "")
