"""Simulates the invented bank month by month and writes each month's rows to a delivery."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from data.demo import delivery
from data.demo.attributes import CHANGING, Columns
from data.demo.delivery import Delivery, code_values
from data.demo.loan_book import LoanBook, plan_next_loans
from data.demo.opening_entries import opening_entries, record_unpaid_instalments
from data.demo.payments import MonthOutcome, simulate_payments
from data.demo.people import build_people, customer_columns, stream
from data.demo.places import build_network
from data.demo.related_tables import RelatedTables, Table, deposit_table
from data.demo.story import Story, first_day, iso, last_day
from data.demo.targets import TargetSetter

BATCH_ROWS = 100_000
REVIEW_MONTHS = 60


class CustomerVersion(NamedTuple):
    """New values of the changing attributes of some customers; arrays of one length."""

    customer: np.ndarray
    valid_from: np.ndarray
    """Days since 1970-01-01."""
    changing: Columns


@dataclass(frozen=True)
class SimulationPeriod:
    """Months since January 1970: the first delivered one, the story's anchor, the last one."""

    first: int
    anchor: int
    last: int
    increment: bool = False
    """Deliver the last month alone."""

    @property
    def first_delivered(self) -> int:
        return self.last if self.increment else self.first


class Simulation:
    """The bank over a period.

    Arrays over customers: `review_month` (-1 for none), `review_step` (change of standing at the
    review), `is_marked` (a new version for three unpaid instalments exists).
    """

    def __init__(self, customers: int, seed: int, period: SimulationPeriod) -> None:
        self.period = period
        story = Story(period.anchor)
        self.network = build_network(customers, seed)
        self.people = build_people(customers, seed, self.network, period.first, period.anchor)
        self.book = LoanBook(self.people, customers, seed, story, period.first)
        self.related = RelatedTables(self.people, self.network, seed)
        self.target_setter = TargetSetter(self.people, self.network)
        self.versions: list[CustomerVersion] = []
        # One customer in forty is reviewed within the period, whatever they do.
        rng = stream(seed, 12)
        n = len(self.people)
        month = period.first + (rng.random(n) * REVIEW_MONTHS).astype(np.int32)
        self.review_month = np.where(rng.random(n) < 0.0007 * REVIEW_MONTHS, month, -1)
        self.review_step = 0.35 * rng.standard_normal(n)
        self.is_marked = np.zeros(n, dtype=bool)

    def run(
        self, to: Path, form: str, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Any]:
        """Simulate all months, write the delivery into folder `to` and return its manifest."""
        period = self.period
        out = Delivery(to, form)
        for table, columns in self.network.tables.items():
            out.add(table, columns)
        months = range(self.book.start, period.last + 1)
        for done, month in enumerate(months, start=1):
            self._simulate_month(out, month)
            if progress:
                progress(done, len(months))
        self._write_loans(out)
        self._write_customers(out)
        return out.close(
            kind="increment" if period.increment else "full",
            first=iso(last_day(period.first_delivered)),
            as_of=iso(last_day(period.last)),
        )

    def _simulate_month(self, out: Delivery, month: int) -> None:
        period = self.period
        book = self.book
        is_delivered = month >= period.first_delivered
        is_opening = month == period.first - 1
        outcome = simulate_payments(book, month)
        settlements = plan_next_loans(book, month, outcome.closed)
        if month < period.first:
            record_unpaid_instalments(book, month)
        if is_opening and not period.increment:
            instalments, payments = opening_entries(book, month)
            out.add("instalment", _instalment_table(instalments))
            out.add("payment", _payment_table(payments, month))
        if is_delivered:
            out.add("payment", _payment_table(outcome.payments, month))
        rows = book.disburse(month)
        issued = book.issue_instalments(month)
        if is_delivered or (is_opening and not period.increment):
            out.add("instalment", _instalment_table(issued))
        if month >= period.first:
            for table, columns in self._related_tables(month, outcome, settlements, rows):
                if is_delivered:
                    out.add(table, columns)
        elif is_opening:
            # The calls of the first delivered month follow from the settlements of this one.
            self.related.actions(month, book, outcome, settlements)

    def _related_tables(
        self,
        month: int,
        outcome: MonthOutcome,
        settlements: dict[str, np.ndarray],
        rows: np.ndarray,
    ) -> Iterator[tuple[str, Table]]:
        related = self.related
        book = self.book
        self._review_customers(month, outcome)
        deposits = related.draw_deposits(month)
        yield "deposit_balance", deposit_table(month, deposits)
        fees, income = related.draw_income(month)
        yield "income", income
        yield "application", related.applications(month, book, rows)
        yield "signal", related.signals(month, book, outcome)
        yield "action", related.actions(month, book, outcome, settlements)
        yield "survey", related.surveys(month)
        setter = self.target_setter
        yield "target", setter.targets(month, book, outcome, settlements, deposits, fees)

    # ---- versions of customers

    def _review_customers(self, month: int, outcome: MonthOutcome) -> None:
        """Add versions: planned reviews, customers with three unpaid instalments, customers written
        off.
        """
        people = self.people
        customer = self.book.loans.customer
        start = int(first_day(month))
        end = int(last_day(month))
        reviewed = np.flatnonzero((self.review_month == month) & (people.since < start))
        self._change_assessment(reviewed)
        self._add_version(reviewed, start + 9)
        late = np.unique(customer[outcome.three_unpaid])
        late = late[~self.is_marked[late] & (late % 3 == 0)]
        self.is_marked[late] = True
        lost = np.unique(customer[outcome.written_off])
        late = np.setdiff1d(late, lost)
        people.arrears_anywhere[late] = True
        people.record[late] = np.maximum(people.record[late], 1)
        self._add_version(late, end)
        people.arrears_anywhere[lost] = True
        people.record[lost] = np.maximum(people.record[lost], 2)
        people.grade[lost] = 7
        self._add_version(lost, end)

    def _change_assessment(self, who: np.ndarray) -> None:
        people = self.people
        step = self.review_step[who]
        score = people.score[who]
        income = people.income[who]
        grade = people.grade[who]
        new_score = (score + 72 * step).clip(320, 860)
        new_income = (income * (1.04 + 0.12 * step)).astype(np.int64) // 100 * 100
        new_grade = (grade - np.rint(step * 1.6)).clip(0, 7)
        people.score[who] = np.where(score < 0, -1, new_score)
        people.income[who] = np.where(income < 0, -1, new_income)
        people.grade[who] = np.where(grade < 0, -1, new_grade)

    def _add_version(self, who: np.ndarray, valid_from: int) -> None:
        changing = {name: getattr(self.people, name)[who] for name in CHANGING}
        self.versions.append(CustomerVersion(who, np.full(len(who), valid_from), changing))

    def _write_customers(self, out: Delivery) -> None:
        people = self.people
        start = int(first_day(self.period.first_delivered))
        is_included = people.since <= int(last_day(self.period.last))
        if self.period.first_delivered != self.period.first:
            is_included &= people.since >= start
        for batch in _batches(np.arange(len(people))):
            rows = batch[is_included[batch]]
            if len(rows):
                original = {name: values[rows] for name, values in people.original.items()}
                columns = customer_columns(people, self.network, rows, people.since[rows], original)
                out.add("customer", columns)
        for version in self.versions:
            recent = version.valid_from >= start
            if recent.any():
                changing = {name: values[recent] for name, values in version.changing.items()}
                columns = customer_columns(
                    people,
                    self.network,
                    version.customer[recent],
                    version.valid_from[recent],
                    changing,
                )
                out.add("customer", columns)

    # ---- loans

    def _write_loans(self, out: Delivery) -> None:
        loans = self.book.loans
        size = self.book.size
        start = int(first_day(self.period.first_delivered))
        ended_on = np.minimum(loans.closed_on, loans.written_off_on)
        ended_on = np.minimum(ended_on, loans.sold_on)[:size]
        if self.period.first_delivered == self.period.first:
            is_included = ended_on >= start
        else:
            restructured_on = loans.restructured_on[:size]
            is_included = loans.disbursed_on[:size] >= start
            is_included |= (ended_on >= start) & (ended_on != delivery.NEVER)
            is_included |= (restructured_on >= start) & (restructured_on != delivery.NEVER)
        # One element more than there are loans: index -1 (no renewed loan) reads False.
        is_known = np.zeros(size + 1, dtype=bool)
        is_known[:size] = ended_on >= int(first_day(self.period.first))
        for batch in _batches(np.flatnonzero(is_included)):
            out.add("loan", self._loan_columns(batch, is_known))

    def _loan_columns(self, i: np.ndarray, is_known: np.ndarray) -> Table:
        """Return the table loan for loans `i`; `is_known`: some delivery contains them."""
        loans = self.book.loans
        who = loans.customer[i]
        renewed = loans.rollover_of[i]
        return {
            "loan_id": delivery.key("L", i + 1, 9),
            "customer_id": delivery.key("C", who + 1, 8),
            "product_id": self.network.product_ids(loans.product[i]),
            "branch_id": self.network.branches_of(self.people.outlet[who]),
            "manager_id": delivery.key("M", self.people.manager[who] + 1, 5),
            "channel": delivery.code(loans.channel[i], code_values("loan", "channel")),
            "guarantee": delivery.code(loans.guarantee[i], code_values("loan", "guarantee")),
            "principal": delivery.money(loans.principal[i]),
            "rate": delivery.rate(loans.rate[i]),
            "funding_rate": delivery.rate(loans.funding_rate[i]),
            "term_months": pa.array(loans.term_months[i]),
            "disbursed_on": delivery.day(loans.disbursed_on[i]),
            "matures_on": delivery.day(loans.matures_on[i]),
            "closed_on": delivery.day(loans.closed_on[i]),
            "written_off_on": delivery.day(loans.written_off_on[i]),
            "sold_on": delivery.day(loans.sold_on[i]),
            "restructured_on": delivery.day(loans.restructured_on[i]),
            "rollover_of": delivery.key("L", renewed + 1, 9, (renewed >= 0) & is_known[renewed]),
        }


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, max(1, len(rows) // BATCH_ROWS))


def _instalment_table(rows: dict[str, np.ndarray]) -> Table:
    return {
        "loan_id": delivery.key("L", rows["loan"] + 1, 9),
        "number": pa.array(rows["number"].astype(np.int32)),
        "due_on": delivery.day(rows["due_on"]),
        "principal": delivery.money(rows["principal"]),
        "interest": delivery.money(rows["interest"]),
    }


def _payment_table(rows: dict[str, np.ndarray], month: int) -> Table:
    prefix = f"P{(1970 + month // 12) % 100:02d}{month % 12 + 1:02d}"
    microseconds = rows["stamp"].astype(np.int64) * 1_000_000
    return {
        "payment_id": delivery.key(prefix, np.arange(len(rows["loan"])) + 1, 8),
        "loan_id": delivery.key("L", rows["loan"] + 1, 9),
        "paid_at": pa.array(microseconds).view(pa.timestamp("us")),
        "amount": delivery.money(rows["amount"]),
        "kind": delivery.code(rows["kind"], code_values("payment", "kind")),
    }
