"""Random small books: what happened to a few customers, and on which day the bank's extract has it.

A life is one customer with loans, schedules, payments and, of a snapshot bank, month-end balances.
Every fact has the day on which it happened and the day from which an extract contains it. They are
the same unless the fact is late. `deliveries` cuts the lives at some month ends; with the last one
alone it gives one full load of the same history.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from data.dates import month_end
from tests.support.deliveries import manifest

MONTHS = [month_end(dt.date(2024, 1, 31), months) for months in range(6)]
COLUMNS = {
    "customer": "customer_id,valid_from",
    "loan": "loan_id,customer_id,principal,disbursed_on,closed_on,written_off_on,sold_on",
    "instalment": "loan_id,number,due_on,principal,interest",
    "payment": "payment_id,loan_id,paid_at,amount,kind",
    "loan_snapshot": "as_of,loan_id,balance,days_past_due",
}
EVENTS = ("customer", "loan", "instalment", "payment")
SNAPSHOTS = ("customer", "loan", "loan_snapshot")
ENDS = ("closed_on", "written_off_on", "sold_on")
_FIRST_DAY = dt.date(2024, 1, 1)
_LAST_DAY = MONTHS[-1]
_EARLY_DAY = dt.date(2023, 6, 1)


@dataclass(frozen=True)
class Fact:
    """What happened on a day, and the first day whose extract has it."""

    on: dt.date
    in_extract_from: dt.date
    values: tuple[str, ...] = ()


@dataclass
class Loan:
    """One loan of a life; `ends` holds the dates of `ENDS` that the bank states."""

    disbursal: Fact
    principal: int
    ends: dict[str, Fact] = field(default_factory=dict)
    instalments: list[Fact] = field(default_factory=list)
    payments: list[Fact] = field(default_factory=list)
    snapshots: list[Fact] = field(default_factory=list)


@dataclass
class Life:
    """One customer; `valid_from` is the day of the version that the bank delivers."""

    valid_from: dt.date
    loans: list[Loan]


def _days(first: dt.date, last: dt.date) -> st.SearchStrategy[dt.date]:
    return st.dates(min(first, last), last)


@st.composite
def _fact(draw: st.DrawFn, on: dt.date, has_late: bool, *values: str) -> Fact:
    """Draw the day from which an extract has a fact; a late one waits up to 100 days."""
    days = draw(st.sampled_from([0, 0, 0, 20, 45, 100])) if has_late else 0
    return Fact(on, min(on + dt.timedelta(days), _LAST_DAY), values)


@st.composite
def _loan(draw: st.DrawFn, has_late: bool, is_snapshot: bool) -> Loan:
    disbursed = draw(_days(_FIRST_DAY, _LAST_DAY - dt.timedelta(10)))
    loan = Loan(draw(_fact(disbursed, has_late)), 0)
    count = draw(st.integers(1, 4))
    loan.principal = 100 * count
    if is_snapshot:
        _draw_snapshots(draw, loan)
    else:
        _draw_schedule(draw, loan, count, has_late)
    name = draw(st.sampled_from([None, None, *ENDS]))
    if name:
        _draw_end(draw, loan, name, has_late)
    return loan


def _draw_end(draw: st.DrawFn, loan: Loan, name: str, has_late: bool) -> None:
    """Draw a stated end of a loan that is not repaid before; a settlement with the rest paid."""
    first = max([loan.disbursal.on, *(payment.on for payment in loan.payments)])
    rest = loan.principal - 100 * len(loan.payments)
    if rest <= 0:
        return
    end = draw(_days(first, _LAST_DAY))
    loan.ends[name] = draw(_fact(end, has_late))
    if name == "closed_on" and loan.instalments:
        loan.payments.append(draw(_fact(end, has_late, str(rest + 5), "instalment")))
    loan.snapshots = [fact for fact in loan.snapshots if fact.on < end and fact.values[0] != "0"]


def _draw_schedule(draw: st.DrawFn, loan: Loan, count: int, has_late: bool) -> None:
    disbursed = loan.disbursal.on
    for number in range(1, count + 1):
        due = disbursed + dt.timedelta(30 * number)
        loan.instalments.append(Fact(due, disbursed, (str(number), str(due), "100", "5")))
        wait = draw(st.sampled_from([0, 0, 0, 3, 40, None]))
        paid = due + dt.timedelta(wait or 0)
        if wait is None or paid > _LAST_DAY:
            continue
        kind = draw(st.sampled_from(["instalment", "instalment", "prepayment"]))
        amount = "100" if kind == "prepayment" else "105"
        loan.payments.append(draw(_fact(paid, has_late, amount, kind)))
        if draw(st.integers(0, 5)) == 0 and kind == "instalment":
            back = draw(_days(paid, _LAST_DAY))
            loan.payments.append(draw(_fact(back, has_late, f"-{amount}", "reversal")))


def _draw_snapshots(draw: st.DrawFn, loan: Loan) -> None:
    balance = loan.principal
    for month in MONTHS:
        if month < loan.disbursal.on:
            continue
        days = draw(st.sampled_from([0, 0, 10, 40, 95])) if balance else 0
        loan.snapshots.append(Fact(month, month, (str(balance), str(days))))
        balance = max(0, balance - draw(st.sampled_from([0, 100])))


@st.composite
def lives(draw: st.DrawFn, has_late: bool, is_snapshot: bool) -> Life:
    """Draw one life; `has_late` says whether facts may come late."""
    loans = draw(st.lists(_loan(has_late, is_snapshot), min_size=1, max_size=3))
    first = min(loan.disbursal.on for loan in loans)
    valid_from = draw(st.sampled_from([_EARLY_DAY, first, month_end(first)]))
    return Life(valid_from, loans)


def deliveries(
    lives: Sequence[Life], cuts: Sequence[dt.date], is_snapshot: bool
) -> list[dict[str, list[str]]]:
    """Return the rows of each table for deliveries as of the days `cuts`, the last day last."""
    parts: list[dict[str, list[str]]] = [defaultdict(list) for _ in cuts]
    for number, life in enumerate(lives):
        customer = f"C{number}"
        first_parts = []
        for index, loan in enumerate(life.loans):
            first_parts.append(_deliver_loan(parts, cuts, loan, customer, f"{customer}L{index}"))
        part = _part(cuts, life.valid_from) if life.valid_from > _EARLY_DAY else 0
        parts[min(part, *first_parts)]["customer"].append(f"{customer},{life.valid_from}")
    tables = SNAPSHOTS if is_snapshot else EVENTS
    return [{name: part[name] for name in tables} for part in parts]


def _deliver_loan(
    parts: list[dict[str, list[str]]], cuts: Sequence[dt.date], loan: Loan, customer: str, id: str
) -> int:
    """Add the rows of one loan; return the delivery that has it first."""
    first = _part(cuts, loan.disbursal.in_extract_from)
    before = None
    for number in range(first, len(cuts)):
        ends = [
            str(fact.on)
            if (fact := loan.ends.get(name)) and _part(cuts, fact.in_extract_from) <= number
            else ""
            for name in ENDS
        ]
        if ends != before:
            row = [id, customer, f"{loan.principal}.00", str(loan.disbursal.on), *ends]
            parts[number]["loan"].append(",".join(row))
        before = ends
    for fact in loan.instalments:
        parts[max(first, _part(cuts, fact.in_extract_from))]["instalment"].append(
            ",".join([id, *fact.values])
        )
    for number, fact in enumerate(loan.payments):
        amount, kind = fact.values
        row = f"{id}P{number},{id},{fact.on} 10:00:00,{amount},{kind}"
        parts[max(first, _part(cuts, fact.in_extract_from))]["payment"].append(row)
    for fact in loan.snapshots:
        parts[_part(cuts, fact.on)]["loan_snapshot"].append(
            ",".join([str(fact.on), id, *fact.values])
        )
    return first


def _part(cuts: Sequence[dt.date], day: dt.date) -> int:
    return next(number for number, cut in enumerate(cuts) if day <= cut)


def write(folder: Path, rows: dict[str, list[str]], as_of: dt.date, kind: str) -> Path:
    """Write one delivery."""
    folder.mkdir(parents=True)
    for name, lines in rows.items():
        text = "\n".join([COLUMNS[name], *lines]) + "\n"
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    counts = {name: 0 for name, lines in rows.items() if not lines}
    first = str(MONTHS[0]) if kind == "full" else None
    return manifest(folder, str(as_of), kind=kind, first=first, rows=counts)
