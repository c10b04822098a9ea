"""Kept tables → marts and trend cubes, one month end after the other, each from the month before and its own events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial

from analytics.marts.columns import MaskedArray, to_arrow_table
from analytics.marts.context import BuildContext, insert_rows, run_step
from analytics.marts.customers import CustomerMartBuilder
from analytics.marts.loans import LoanMartBuilder
from analytics.marts.row_layout import RowLayout, lines
from analytics.metrics.definitions import METRICS
from analytics.rulebooks.schemes import class_codes
from analytics.sql.templates import fragment
from data.editions.part_writer import BuildSession

CUBES = ("loan", "customer")


def build(
    shop: BuildSession, months: Sequence[date], progress: Callable[[date], None] | None = None
) -> None:
    """Build the marts of the given month ends (consecutive, ascending) into the workshop's part.

    The kept tables of the load are in place; older parts, if any, end with the month before months[0].
    Raises data.editions.connection.QueryError, which names the .sql file and the statement.

    Three hands work at a time: while this one finds out about the customers of a month, another one works out the loans
    of the months after, and a third writes the rows and the cubes' cells of the month before.
    """
    course = BuildContext(shop, months)
    _make_tables(shop, course)
    # The pools are left last: by then the other hands have stopped what they were running.
    with (
        ThreadPoolExecutor(1) as lending,
        ThreadPoolExecutor(1) as writing,
        shop.worker_session() as lender,
        shop.worker_session() as writer,
    ):
        loans, customers, marts = (
            LoanMartBuilder(lender, course),
            CustomerMartBuilder(shop, course),
            _Marts(writer, course),
        )
        begun = lending.submit(loans.begin)
        lent = [*(partial(loans.month, month) for month in months), loans.keep]
        ahead = [lending.submit(step) for step in lent[:2]]
        customers.begin()
        begun.result()
        written: Future[None] | None = None
        for number, month in enumerate(months):
            ahead[number].result()
            rows = customers.month(month, loans.of(month))
            if written:
                written.result()
            written = writing.submit(marts.month, month, rows, loans.of(month))
            if number + 2 < len(lent):
                # What was worked out of this month is let go then: when it is written.
                ahead.append(lending.submit(_after, written, lent[number + 2]))
            if progress:
                progress(month)
        customers.keep()
        written.result()
        # The cells of a month or two are too few for DuckDB to share among its threads: two hands take a cube each.
        waiting = iter([(grain, scheme) for grain in CUBES for scheme in course.boards])
        helped = writing.submit(_sum_up, writer, course.layout, waiting)
        _sum_up(shop, course.layout, waiting)
        for step in (*ahead, helped):
            step.result()


def _after(first: Future[None], step: Callable[[], None]) -> None:
    first.result()
    step()


def _make_tables(shop: BuildSession, course: BuildContext) -> None:
    """The empty marts, what readers need to know of their columns, and the rulebooks by which they are graded."""
    run_step(shop, "tables.sql", {}, **course.layout.columns())
    insert_rows(shop, "part.current.computed_columns", course.layout.derived())
    schemes = [*course.by_loan, *course.by_customer]
    books = [
        (s.id, book.effective_on, book.digest, book.text) for s in schemes for book in s.editions
    ]
    insert_rows(shop, "part.current.rulebook", books)
    codes = [(s.id, code, name) for s in course.boards for code, name in enumerate(class_codes(s))]
    insert_rows(shop, "part.current.history_code", codes)
    shop.views()
    course.look(shop)


class _Marts:
    """Rows and cells of both marts."""

    def __init__(self, shop: BuildSession, course: BuildContext) -> None:
        self.shop, self.course = shop, course

    def month(
        self, month: date, customers: Mapping[str, MaskedArray], loans: Mapping[str, MaskedArray]
    ) -> None:
        """All rows of a month, and their cells."""
        bound, layout = self.course.bound(month), self.course.layout
        self.shop.arrow(to_arrow_table(customers), "customer_fact")
        run_step(
            self.shop,
            "customer_month.sql",
            bound,
            attributes=fragment("customer_attributes"),
            payroll=layout.payroll(),
            packed=lines([f"attribute.{name}" for name in layout.customer_columns()]),
        )
        self.shop.forget("customer_fact")
        self.shop.arrow(to_arrow_table(loans), "loan_fact")
        packed = lines([f"loan.{name}" for name in layout.loan_columns()])
        run_step(self.shop, "loan_month.sql", bound, packed=packed, **layout.borrower_told())
        self.shop.forget("loan_fact")
        for grain in CUBES:
            self._cells(grain, bound)

    def _cells(self, grain: str, bound: dict) -> None:
        """Sum the month's rows of a mart into cells: every declared additive metric by all that a cube may ask for."""
        keys, measures = self.course.layout.cell_keys(grain), _measures(grain)
        columns = ", ".join(f"{sql} as {name}" for name, sql in (keys | measures).items())
        into = (
            f"create or replace table {grain}_cells as"
            if bound["is_first"]
            else f"insert into {grain}_cells"
        )
        self.shop.run(
            f"{into} select cast($as_of as date) as as_of, {columns} from {grain}_month as fact where as_of = $as_of "
            f"group by {', '.join(keys.values())}",
            f"{grain}_cells",
            **bound,
        )


def _sum_up(shop: BuildSession, layout: RowLayout, waiting: Iterator[tuple]) -> None:
    """The cells of all months, far fewer than the rows, summed again into one cube per grain and scheme of the boards:
    its classes today and at the openings.
    """
    for grain, scheme in waiting:
        types = {name: sql.rsplit("::", 1)[1] for name, sql in _measures(grain).items()}
        by, shown = layout.cube_columns(grain, scheme)
        shop.run(
            f"create table part.history.cube_{grain}_{scheme.id} as "
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
