"""Kept tables → marts and trend cubes, one month end after the other, each from the month before and its own events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date

from analytics.course import Course, insert_rows, run_step
from analytics.customer_steps import CustomerSteps
from analytics.declared import METRICS
from analytics.layout import class_codes
from analytics.loan_steps import LoanSteps
from data.engine import Workshop

CUBES = ("loan", "customer")


def build(shop: Workshop, months: Sequence[date], progress: Callable[[date], None] | None = None) -> None:
    """Build the marts of the given month ends (consecutive, ascending) into the workshop's part.

    The kept tables of the load are in place; older parts, if any, end with the month before months[0].
    Raises data.engine.QueryError, which names the .sql file and the statement.

    Two hands work at a time: while this one makes the customers of a month, the second writes the loans' rows and the
    cubes' cells of the month before and works out the loans of the month after.
    """
    course = Course(shop, months)
    _make_tables(shop, course)
    # The pool is left last: by then the second hand has stopped what it was running.
    with ThreadPoolExecutor(1) as beside, shop.second_hand() as hand:
        loans, customers, marts = LoanSteps(hand, course), CustomerSteps(shop, course), _Marts(hand, course)
        begun = beside.submit(loans.begin)
        ahead = [beside.submit(loans.month, month) for month in months[:2]]
        customers.begin()
        begun.result()
        written: Future[None] | None = None
        for number, month in enumerate(months):
            ahead[number].result()
            customers.month(month, loans.given(month, shop))
            if written:
                written.result()
            written = beside.submit(marts.month, month, loans)
            if number + 2 < len(months):
                ahead.append(beside.submit(loans.month, months[number + 2]))
            if progress:
                progress(month)
        ended = [written, beside.submit(loans.keep), beside.submit(marts.finish)]
        customers.keep()
        for step in ended:
            step.result()


def _make_tables(shop: Workshop, course: Course) -> None:
    """The empty marts, what readers need to know of their columns, and the rulebooks by which they are graded."""
    run_step(shop, "tables.sql", {}, **course.layout.columns())
    insert_rows(shop, "part.head.derived", course.layout.derived())
    schemes = [*course.by_loan, *course.by_customer]
    books = [(s.id, book.effective_on, book.digest, book.text) for s in schemes for book in s.editions]
    insert_rows(shop, "part.head.rulebook", books)
    codes = [(s.id, code, name) for s in course.boards for code, name in enumerate(class_codes(s))]
    insert_rows(shop, "part.head.history_code", codes)
    shop.views()
    course.look(shop)


class _Marts:
    """Rows of loan_month, the cells of both marts, and the cubes summed of the cells in the end."""

    def __init__(self, shop: Workshop, course: Course) -> None:
        self.shop, self.course = shop, course

    def month(self, month: date, loans: LoanSteps) -> None:
        """The loans' rows and all cells of a month of which the customers' rows are written."""
        bound = self.course.bound(month)
        given = loans.given(month, self.shop)
        run_step(self.shop, "loan_month.sql", bound, loans=given, **self.course.layout.loan_row())
        for grain in CUBES:
            self._cells(grain, bound)

    def _cells(self, grain: str, bound: dict) -> None:
        """Sum the month's rows of a mart into cells: every declared additive metric by all that a cube may ask for."""
        keys, measures = self.course.layout.cell_keys(grain), _measures(grain)
        columns = ", ".join(f"{sql} as {name}" for name, sql in (keys | measures).items())
        into = f"create or replace temp table {grain}_cells as" if bound["is_first"] else f"insert into {grain}_cells"
        self.shop.run(
            f"{into} select cast(:as_of as date) as as_of, {columns} from {grain}_month as fact where as_of = :as_of "
            f"group by {', '.join(keys.values())}",
            f"{grain}_cells",
            **bound,
        )

    def finish(self) -> None:
        """The cells of all months, far fewer than the rows, summed again into one cube per scheme of the boards: its
        classes today and at the openings.
        """
        for grain in CUBES:
            types = {name: sql.rsplit("::", 1)[1] for name, sql in _measures(grain).items()}
            for scheme in self.course.boards:
                by, shown = self.course.layout.cube_columns(grain, scheme)
                self.shop.run(
                    f"create table part.kept.cube_{grain}_{scheme.id} as "
                    f"select as_of, {', '.join([*shown, *types])} from ("
                    f"select as_of, {', '.join([*by, *(f'sum({n})::{t} as {n}' for n, t in types.items())])} "
                    f"from {grain}_cells group by {', '.join(['as_of', *by])}) order by as_of",
                    f"cube_{grain}_{scheme.id}",
                )


def _measures(grain: str) -> dict[str, str]:
    """Column of the cubes → aggregate, for every declared metric of a mart that can be summed."""
    found: dict[str, str] = {}
    for metric in METRICS.values():
        if metric.source.id == f"{grain}_month" and metric.is_additive:
            found |= metric.measures
    return found
