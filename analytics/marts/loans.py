"""A month of loans: what fell due and what came, added to the month before → state, class and values of each loan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from analytics.marts.columns import (
    ActiveLoans,
    MaskedArray,
    columns,
    number,
    to_arrow_table,
    unknown,
)
from analytics.marts.context import BuildContext, columns_of, run_step, step_table
from analytics.marts.customer_state import history
from analytics.marts.loan_state import (
    ClassValues,
    Days,
    arrears,
    costs,
    is_behind,
    judged,
    judged_on,
    product_bits,
    reached,
    snapshot_state,
    state,
    still_open,
    totals,
)
from analytics.marts.row_layout import class_number, lines
from analytics.metrics.assumptions import assumptions
from analytics.rulebooks.schemes import NEW, class_codes, in_force
from analytics.sql.templates import fragment
from data.editions.part_writer import BuildSession

_SECURED = ("mortgaged", "pledged")
# What the facts of dates look at (loan_dates.sql).
_DATED = ("days_past_due", "restructured_on", "written_off_on")
# What a snapshot does not tell, and an earlier month may have known.
_UNTOLD = {"count_instalments_late": np.int16, "is_first_payment_missed": bool}


class LoanMartBuilder:
    """The loans of one build. What was worked out of a month is kept until the month after the next is made: rows and
    customers may be made of it while the next month's loans are under way.
    """

    def __init__(self, shop: BuildSession, course: BuildContext) -> None:
        self.shop, self.course = shop, course
        self._made: dict[date, dict[str, MaskedArray]] = {}

    def begin(self) -> None:
        """The lives of all loans and their settlements, and the state from which the first month starts."""
        course, shop = self.course, self.shop
        run_step(shop, "loan_lifecycle.sql", {})
        run_step(shop, "settlement.sql", {})
        run_step(
            shop,
            "loan_state.sql",
            {},
            **{code.name: code.type for code in course.layout.loan_codes},
            loan_histories=lines([f"history_{s.id} ubigint" for s in course.loan_boards]),
        )
        self.carried = columns_of(shop, "loan_now")
        if not course.is_opening:
            course.resume(shop, "loan_now", "loan_state", self.carried)
            course.resume(
                shop, "instalment_now", "instalment_open", columns_of(shop, "instalment_now")
            )
        known = step_table(
            shop, "loan_opening_state.sql", course.bound(course.months[0]), carried=", ".join(self.carried)
        )
        shop.run("drop table loan_known; delete from loan_now", "loan_now")
        most = shop.one("select coalesce(max(loan_key), 0) from loan_number")[0]
        self.loans = ActiveLoans(most, columns(known))
        self.stay = np.arange(len(self.loans))
        # A loan's instalments must follow one another, and a table tells its rows in any order.
        ordered = "select * from instalment_now order by loan_key, due_on, number"
        self.open = columns(shop.table(ordered, "instalment_now"))
        told = columns(
            shop.table(
                "select product_key, enum_code(family)::tinyint as family from product", "product"
            )
        )
        # The first one where a product's is not known.
        self.families = np.zeros(np.iinfo(np.int16).max + 1, np.int8)
        self.families[told["product_key"].values] = told["family"].values

    def month(self, month: date) -> None:
        """Work out the loans of a month; the months come in their order."""
        bound, days = self.course.bound(month), Days.of(self.course.bound(month))
        now = (
            self._of_events(bound, days)
            if self.course.has_events
            else self._of_snapshots(bound, days)
        )
        loans = self.loans.columns | now
        classes = self._classes(month, loans)
        for scheme in self.course.loan_boards:
            name, last = f"history_{scheme.id}", number(classes[scheme.id], loans["has_row"].values)
            loans[name] = history(loans[name], last, class_codes(scheme).index(NEW))
        self.loans.columns = {name: loans[name] for name in self.carried}
        loans |= costs(
            loans,
            classes[self.course.five.id],
            self._class_values(month),
            _is_secured(loans["guarantee"]),
            assumptions(month),
        )
        loans |= {"product_bit": product_bits(loans, self.families)}
        loans |= {f"class_{name}": number(numbers) for name, numbers in classes.items()}
        if not self.course.has_events:
            loans |= {name: unknown(len(self.loans), kind) for name, kind in _UNTOLD.items()}
        loans |= {
            name: number(values)
            for name, values in self.course.layout.loan_row(loans, classes).items()
        }
        self._made = dict(list(self._made.items())[-1:]) | {month: loans}

    def of(self, month: date) -> dict[str, MaskedArray]:
        """The loans of a month: state, values, classes (numbers, class_…) and the packed columns of their rows."""
        return self._made[month]

    def keep(self) -> None:
        """What the last month hands on to the next load."""
        kept = {name: column.at(self.stay) for name, column in self.loans.columns.items()}
        self.shop.arrow(to_arrow_table(kept), "loan_last")
        self.shop.arrow(to_arrow_table(self.open), "instalment_last")
        bound = self.course.bound(self.course.months[-1])
        run_step(self.shop, "store_loan_state.sql", bound, carried=", ".join(self.carried))

    def _of_events(self, bound: Mapping, days: Days) -> dict[str, MaskedArray]:
        """The state of the loans at the month end out of schedules and payments."""
        coming = step_table(self.shop, "loan_originations.sql", bound, carried=", ".join(self.carried))
        self.loans.turn(self.stay, columns(coming))
        loans = self.loans.columns
        due, came = self._rows("instalments_due.sql", bound), self._rows("payments_received.sql", bound)
        now = reached(loans, days) | totals(loans, due, came, days)
        now |= arrears(self._allocate(bound, due, now, days), now, days)
        now |= state(loans, now, self._first_payments(bound, now, days), days)
        self.stay = np.flatnonzero(now["is_kept"].values)
        return now

    def _of_snapshots(self, bound: Mapping, days: Days) -> dict[str, MaskedArray]:
        """The state of the loans at the month end as the delivery tells it. All loans keep their places: only the
        month's rows have a state.
        """
        told = columns(step_table(self.shop, "loan_snapshots.sql", bound))
        known = told["interest_received"].is_known
        rows = {name: column.values for name, column in told.items()}
        rows = self.loans.placed(rows.pop("loan_key"), is_interest_known=known, **rows)
        return snapshot_state(self.loans.columns, rows, days)

    def _rows(self, step: str, bound: Mapping) -> dict[str, np.ndarray]:
        """The rows of a question by loan_key."""
        rows = {
            name: column.values
            for name, column in columns(step_table(self.shop, step, bound)).items()
        }
        return self.loans.placed(rows.pop("loan_key"), **rows)

    def _asked(
        self, step: str, bound: Mapping, of: Mapping[str, MaskedArray]
    ) -> dict[str, np.ndarray]:
        """The rows of a question about some loans."""
        self.shop.arrow(to_arrow_table(of), "loan_asked")
        try:
            return self._rows(step, bound)
        finally:
            self.shop.forget("loan_asked")

    def _allocate(
        self, bound: Mapping, due: Mapping, now: Mapping[str, MaskedArray], days: Days
    ) -> dict[str, np.ndarray]:
        """The instalments not fully paid; payments are allocated first in, first out over the schedule."""
        is_late, is_afresh = is_behind(now, days), now["is_recounted"].values
        goes_on, again = is_late & ~is_afresh, np.flatnonzero(is_late & is_afresh)
        before = {name: column.values for name, column in self.open.items()}
        before, due = (
            _at(self.loans.placed(before.pop("loan_key"), **before), goes_on),
            _at(due, goes_on),
        )
        if len(again):
            more = self._asked(
                "instalments_for_reallocation.sql",
                bound,
                {"loan_key": self.loans.columns["loan_key"].at(again)},
            )
            due = {name: np.concatenate([values, more[name]]) for name, values in due.items()}
        rows = still_open(before, due, self.loans.columns, now, is_afresh)
        rows["loan_key"] = self.loans.keys[rows["place"]]
        self.open = {
            name: MaskedArray(column.type, rows[name]) for name, column in self.open.items()
        }
        return rows

    def _first_payments(
        self, bound: Mapping, now: Mapping[str, MaskedArray], days: Days
    ) -> dict[str, np.ndarray]:
        """Whether the first payments judged now were missed."""
        places, loans = judged(now, days), self.loans.columns
        asked = {
            "loan_key": loans["loan_key"],
            "disbursed_on": loans["disbursed_on"],
            "judged_on": judged_on(now),
        }
        asked |= {"closed_on": now["closed_on"]}
        return self._asked(
            "first_payment.sql", bound, {name: column.at(places) for name, column in asked.items()}
        )

    def _classes(self, month: date, loans: Mapping[str, MaskedArray]) -> dict[str, np.ndarray]:
        """The number of each loan's class by each scheme."""
        books = [in_force(scheme, month) for scheme in self.course.by_loan]
        asked = {fact for book in books if book for fact in book.facts} & loans.keys()
        self.shop.arrow(
            to_arrow_table({name: loans[name] for name in {"loan_key", *_DATED, *asked}}),
            "loan_fact",
        )
        answer = step_table(
            self.shop,
            "loan_class.sql",
            self.course.bound(month),
            dates=fragment("loan_dates"),
            graded=lines(
                [f"{class_number(s, month)} as class_{s.id}" for s in self.course.by_loan]
            ),
        )
        self.shop.forget("loan_fact")
        told = {name: column.values for name, column in columns(answer).items()}
        places = self.loans.placed(told["loan_key"])["place"]
        found = {}
        for scheme in self.course.by_loan:
            found[scheme.id] = np.zeros(len(places), np.uint8)
            found[scheme.id][places] = told[f"class_{scheme.id}"]
        return found

    def _class_values(self, month: date) -> ClassValues:
        """What the classes of loan_five stand for this month: non-performing or not, PD, provision rate."""
        five = self.course.five
        book, pd = in_force(five, month), assumptions(month)["pd"]
        npl, likely, provision = (np.full(len(class_codes(five)), np.nan) for _ in range(3))
        for item in book.classes if book else ():
            number = class_codes(five).index(item.code)
            npl[number] = book.attribute(item.code, "is_npl")
            likely[number] = pd.get(item.code, 0.0)
            general = book.parameters["general_provision_rate"].value
            provision[number] = book.attribute(item.code, "provision_rate") + general
        return ClassValues(npl, likely, provision)


def _is_secured(guarantee: MaskedArray) -> np.ndarray:
    # There are no words where no guarantee was ever told.
    secured = np.array([word in _SECURED for word in guarantee.words] or [False])
    return guarantee.is_known & secured[guarantee.values]


def _at(rows: Mapping[str, np.ndarray], which: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of some loans."""
    here = which[rows["place"]]
    return {name: values[here] for name, values in rows.items()}
