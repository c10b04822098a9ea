"""Lives the invented bank through its months and hands each month's rows to a delivery."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.demo import attributes, delivery
from data.demo import people as folk
from data.demo import places as places_
from data.demo import story as story_
from data.demo.loan_book import Book
from data.demo.payments import brought_forward, keep_unpaid, pay, plan_after_settlement
from data.demo.related_tables import Around, words
from data.demo.story import first_day, iso, last_day

CHUNK = 100_000


class World:
    """The bank from `first` to `last` (months since January 1970), its story hung on month `anchor`."""

    def __init__(self, customers: int, seed: int, first: int, anchor: int, last: int):
        self.first, self.last, self.seed = first, last, seed
        self.story = story_.Story(anchor)
        self.places, share = places_.build(customers, seed)
        self.people = folk.build(customers, seed, self.places, share, first, anchor)
        self.book = Book(self.people, customers, seed, self.story, first)
        self.around = Around(self.people, self.places, seed, self.story, first)
        self.versions = []
        self._plan_versions()

    def _plan_versions(self):
        """A customer in forty is assessed anew in the window, whatever they do."""
        rng, people = folk.stream(self.seed, 12), self.people
        n = len(people)
        span = 60
        month = self.first + (rng.random(n) * span).astype(np.int32)
        self.review_month = np.where(rng.random(n) < 0.0007 * span, month, -1)
        self.review_step = 0.35 * rng.standard_normal(n)
        self.marked = np.zeros(n, dtype=bool)

    def live(
        self,
        to: Path,
        form: str,
        increment: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict:
        """Simulate all months and write the full delivery, or only the last month as an increment."""
        out = delivery.Delivery(to, form)
        self.written_from = self.last if increment else self.first
        book, around = self.book, self.around
        for table, columns in self.places.tables.items():
            out.add(table, columns)
        months = range(book.start, self.last + 1)
        for done, month in enumerate(months):
            inside = month >= self.first
            write = month >= self.written_from
            happened = pay(book, month)
            settled = plan_after_settlement(book, month, happened.closed)
            if not inside:
                keep_unpaid(book, month)
            if month == self.first - 1 and not increment:
                instalments, payments = brought_forward(book, month)
                out.add("instalment", _instalments(instalments))
                out.add("payment", _payments(payments, month))
            if write:
                out.add("payment", _payments(happened.payments, month))
            rows = book.disburse(month)
            issued = book.issue(month)
            if write or (month == self.first - 1 and not increment):
                out.add("instalment", _instalments(issued))
            if inside:
                for table, columns in self._around(month, happened, settled, rows):
                    if write:
                        out.add(table, columns)
            elif month == self.first - 1:
                around.actions(month, book, happened, settled)
            if progress:
                progress(done + 1, len(months))
        self._loans(out)
        self._customers(out)
        return out.close(
            kind="increment" if increment else "full",
            first=iso(last_day(self.written_from)),
            as_of=iso(last_day(self.last)),
        )

    def _around(self, month, happened, settled, rows):
        around, book = self.around, self.book
        self._review(month, happened)
        yield "deposit_balance", around.deposits(month)
        yield "income", around.income(month)
        yield "application", around.applications(month, book, rows)
        yield "signal", around.signals(month, book, happened)
        yield "action", around.actions(month, book, happened, settled)
        yield "survey", around.surveys(month)
        yield "target", around.targets(month, book, happened, settled)

    # ---- versions of customers

    def _review(self, month, happened):
        """New versions: planned reviews, customers three instalments behind, customers written off."""
        people, book = self.people, self.book
        start = int(first_day(month))
        planned = np.flatnonzero((self.review_month == month) & (people.since < start))
        behind = np.unique(book.cust[happened.fell_three])
        behind = behind[~self.marked[behind] & (behind % 3 == 0)]
        self.marked[behind] = True
        lost = np.unique(book.cust[happened.written_off])
        step = self.review_step[planned]
        score = people.score[planned]
        people.score[planned] = np.where(score < 0, -1, (score + 72 * step).clip(320, 860))
        income = people.income[planned]
        people.income[planned] = np.where(
            income < 0, -1, (income * (1.04 + 0.12 * step)).astype(np.int64) // 100 * 100
        )
        people.grade[planned] = np.where(
            people.grade[planned] < 0, -1, (people.grade[planned] - np.rint(step * 1.6)).clip(0, 7)
        )
        self._keep(planned, np.full(len(planned), start + 9))
        behind = np.setdiff1d(behind, lost)
        people.arrears_anywhere[behind] = True
        people.record[behind] = np.maximum(people.record[behind], 1)
        self._keep(behind, np.full(len(behind), int(last_day(month))))
        people.arrears_anywhere[lost] = True
        people.record[lost] = np.maximum(people.record[lost], 2)
        people.grade[lost] = 7
        self._keep(lost, np.full(len(lost), int(last_day(month))))

    def _keep(self, who, valid_from):
        changed = {name: getattr(self.people, name)[who] for name in attributes.CHANGING}
        self.versions.append((who, valid_from, changed))

    def _customers(self, out):
        people, start = self.people, int(first_day(self.written_from))
        for who in np.array_split(np.arange(len(people)), max(1, len(people) // CHUNK)):
            here = people.since[who] <= int(last_day(self.last))
            rows = who[
                here if self.written_from == self.first else here & (people.since[who] >= start)
            ]
            if len(rows):
                original = {name: values[rows] for name, values in people.first.items()}
                out.add(
                    "customer",
                    attributes.columns(people, self.places, rows, people.since[rows], original),
                )
        for who, valid_from, changed in self.versions:
            recent = valid_from >= start
            if recent.any():
                changed = {name: values[recent] for name, values in changed.items()}
                out.add(
                    "customer",
                    attributes.columns(
                        people, self.places, who[recent], valid_from[recent], changed
                    ),
                )

    # ---- loans

    def _loans(self, out):
        book, size = self.book, self.book.size
        start = int(first_day(self.written_from))
        ended = np.minimum(
            np.minimum(book.closed[:size], book.written_off[:size]), book.sold[:size]
        )
        if self.written_from == self.first:
            keep = ended >= start
        else:
            touched = (ended >= start) & (ended != delivery.NEVER)
            again = (book.restructured[:size] >= start) & (
                book.restructured[:size] != delivery.NEVER
            )
            keep = (book.disbursed[:size] >= start) | touched | again
        rows = np.flatnonzero(keep)
        delivered_later = np.zeros(size + 1, dtype=bool)
        delivered_later[:size] = ended >= int(first_day(self.first))
        for part in np.array_split(rows, max(1, len(rows) // CHUNK)):
            out.add("loan", self._loan_columns(part, delivered_later))

    def _loan_columns(self, i, known):
        book, people, places = self.book, self.people, self.places
        who = book.cust[i]
        rolled = book.rollover[i]
        return {
            "loan_id": delivery.key("L", i + 1, 9),
            "customer_id": delivery.key("C", who + 1, 8),
            "product_id": places.tables["product"]["product_id"].take(pa.array(book.product[i])),
            "branch_id": pa.array(places.branch_ids).take(
                pa.array(places.outlet_branch[people.outlet[who]])
            ),
            "manager_id": delivery.key("M", people.manager[who] + 1, 5),
            "channel": delivery.code(book.channel[i], words("loan", "channel")),
            "guarantee": delivery.code(book.guarantee[i], words("loan", "guarantee")),
            "principal": delivery.money(book.principal[i]),
            "rate": delivery.rate(book.rate[i]),
            "funding_rate": delivery.rate(book.funding[i]),
            "term_months": pa.array(book.term[i]),
            "disbursed_on": delivery.day(book.disbursed[i]),
            "matures_on": delivery.day(book.matures[i]),
            "closed_on": delivery.day(book.closed[i]),
            "written_off_on": delivery.day(book.written_off[i]),
            "sold_on": delivery.day(book.sold[i]),
            "restructured_on": delivery.day(book.restructured[i]),
            "rollover_of": delivery.key("L", rolled + 1, 9, (rolled >= 0) & known[rolled]),
        }


def _instalments(rows) -> dict:
    return {
        "loan_id": delivery.key("L", rows["loan"] + 1, 9),
        "number": pa.array(rows["number"].astype(np.int32)),
        "due_on": delivery.day(rows["due_on"]),
        "principal": delivery.money(rows["principal"]),
        "interest": delivery.money(rows["interest"]),
    }


def _payments(rows, month) -> dict:
    n = len(rows["loan"])
    return {
        "payment_id": delivery.key(
            f"P{(1970 + month // 12) % 100:02d}{month % 12 + 1:02d}", np.arange(n) + 1, 8
        ),
        "loan_id": delivery.key("L", rows["loan"] + 1, 9),
        "paid_at": pa.array(rows["stamp"].astype(np.int64) * 1_000_000).view(pa.timestamp("us")),
        "amount": delivery.money(rows["amount"]),
        "kind": delivery.code(rows["kind"], words("payment", "kind")),
    }
