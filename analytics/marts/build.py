"""Builds marts and cubes, one month end after the other, each from the month before and its events.

Three threads share the work (decision 21). While this one computes the customers of a month, the
thread `loans` computes the loans of up to two months ahead, and the thread `rows` writes the rows
and the cells of the month before:

    loans   initialise | m1 | m2 | m3 ........... | m4
    main    initialise      | m1      | m2      | m3      | cubes
    rows                              | m1      | m2      | m3

The loans of a month are dropped two months later, so they wait for the rows of that month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial
from types import TracebackType
from typing import Any

from analytics.marts.columns import MaskedArray, to_arrow_table
from analytics.marts.context import BuildContext, insert_rows, run_step
from analytics.marts.customers import CustomerMartBuilder
from analytics.marts.loans import LoanMartBuilder
from analytics.marts.row_layout import sql_list
from analytics.metrics.definitions import METRICS
from analytics.rulebooks import Scheme
from analytics.rulebooks.schemes import class_codes
from analytics.sql.templates import fragment
from data.editions.part_writer import BuildSession

CUBES = ("loan", "customer")
_LOANS_AHEAD = 2


def build(
    session: BuildSession,
    months: Sequence[date],
    progress: Callable[[date], None] | None = None,
) -> dict[str, dict[str, int]]:
    """Build the marts and cubes of some months into the part under construction.

    Parameters
    ----------
    session
        The session of the part; the tables of the delivery are loaded.
    months
        Month ends, consecutive and ascending; older parts, if any, end with the month before.
    progress
        Called with each month end when its customers are computed.

    Returns
    -------
    dict
        By table and note code, of how many of its rows it is to be noted.

    Raises
    ------
    data.editions.connection.QueryError
        A statement failed; the error names the .sql file and the statement.
    UserError
        The state of the last load is missing, or a value does not fit in the marts.
    """
    context = BuildContext(session, months)
    _create_tables(session, context)
    # The runner is left last: by then closing the sessions has interrupted their statements.
    with (
        StageRunner("loans", "rows") as stages,
        session.worker_session() as loan_session,
        session.worker_session() as row_session,
    ):
        loans = LoanMartBuilder(loan_session, context)
        customers = CustomerMartBuilder(session, context)
        rows = RowWriter(row_session, context)
        stages.submit("loans", "initialise loans", loans.initialise)
        for number, month in enumerate(months):
            # An error of the initialisation is raised as such, not as that of the first month.
            prerequisites = ["initialise loans"]
            if number >= _LOANS_AHEAD:
                prerequisites.append(f"rows {months[number - _LOANS_AHEAD]}")
            compute = partial(loans.compute_month, month)
            stages.submit("loans", f"loans {month}", compute, after=prerequisites)
        stages.submit("loans", "export loans", loans.export_state)
        customers.initialise()
        for number, month in enumerate(months):
            stages.wait(f"loans {month}")
            columns = customers.compute_month(month, loans.month_state(month))
            if number:
                stages.wait(f"rows {months[number - 1]}")
            write = partial(rows.write_month, month, columns, loans.month_state(month))
            stages.submit("rows", f"rows {month}", write)
            if progress:
                progress(month)
        customers.export_state()
        stages.wait(f"rows {months[-1]}")
        stages.wait("export loans")
        for grain in CUBES:
            for scheme in context.boards:
                _create_cube(session, context, grain, scheme)
    return {"loan": {"settlement_derived": loans.count_new_derived_settlements()}}


class StageRunner:
    """Runs named stages on some threads.

    The stages of one thread run in the order in which they were submitted. A stage fails if one of
    those that it waits for fails. Leaving the block cancels the stages that have not begun.
    """

    def __init__(self, *threads: str) -> None:
        self._threads = {name: ThreadPoolExecutor(1, name) for name in threads}
        self._stages: dict[str, Future[None]] = {}
        self._is_closed = False

    def __enter__(self) -> StageRunner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_closed = True
        for stage in list(self._stages.values()):
            stage.cancel()
        for thread in self._threads.values():
            thread.shutdown()

    def submit(
        self, thread: str, stage: str, action: Callable[[], None], after: Iterable[str] = ()
    ) -> None:
        """Run `action` on a thread when the stages `after` are done.

        These may be submitted later.
        """
        self._threads[thread].submit(self._run, self._stage(stage), action, list(after))

    def wait(self, stage: str) -> None:
        """Wait until a stage is done; raises the error that ended it."""
        future = self._stage(stage)
        if self._is_closed:
            future.cancel()
        future.result()

    def _stage(self, name: str) -> Future[None]:
        return self._stages.setdefault(name, Future())

    def _run(self, stage: Future[None], action: Callable[[], None], after: list[str]) -> None:
        if not stage.set_running_or_notify_cancel():
            return
        try:
            for name in after:
                self.wait(name)
            action()
        except BaseException as error:
            stage.set_exception(error)
        else:
            stage.set_result(None)


class RowWriter:
    """Writes the rows of both marts and their cells, month after month."""

    def __init__(self, session: BuildSession, context: BuildContext) -> None:
        self.session = session
        self.context = context

    def write_month(
        self, month: date, customers: Mapping[str, MaskedArray], loans: Mapping[str, MaskedArray]
    ) -> None:
        """Insert all rows of a month and their cells.

        Parameters
        ----------
        customers
            The result of `CustomerMartBuilder.compute_month`.
        loans
            The result of `LoanMartBuilder.month_state`.
        """
        layout = self.context.layout
        parameters = self.context.parameters(month)
        self.session.register(to_arrow_table(customers), "customer_fact")
        columns = [f"attribute.{name}" for name in layout.complete_customer_columns()]
        run_step(
            self.session,
            "customer_month",
            parameters,
            attributes=fragment("customer_attributes"),
            payroll=layout.payroll_sql(),
            packed=sql_list(columns),
        )
        self.session.unregister("customer_fact")
        self.session.register(to_arrow_table(loans), "loan_fact")
        columns = [f"loan.{name}" for name in layout.complete_loan_columns()]
        run_step(
            self.session,
            "loan_month",
            parameters,
            packed=sql_list(columns),
            **layout.borrower_sql(),
        )
        self.session.unregister("loan_fact")
        for grain in CUBES:
            self._insert_cells(grain, parameters)

    def _insert_cells(self, grain: str, parameters: Mapping[str, Any]) -> None:
        """Sum the rows of a month into cells, one per combination of the keys of the cubes."""
        keys = self.context.layout.cell_keys(grain)
        columns = ", ".join(f"{sql} as {name}" for name, sql in (keys | _measures(grain)).items())
        table = f"{grain}_cells"
        insert = f"insert into {table}"
        if parameters["is_first"]:
            insert = f"create or replace table {table} as"
        self.session.run(
            f"{insert} select cast($as_of as date) as as_of, {columns} "
            f"from {grain}_month as fact where as_of = $as_of group by {', '.join(keys.values())}",
            table,
            **parameters,
        )


def _create_tables(session: BuildSession, context: BuildContext) -> None:
    """Create the empty marts, their computed columns, and the rulebooks that grade them."""
    run_step(session, "tables", {}, **context.layout.column_definitions())
    insert_rows(session, "part.current.computed_columns", context.layout.computed_columns())
    editions = [
        (scheme.id, book.effective_on, book.digest, book.text)
        for scheme in (*context.loan_schemes, *context.customer_schemes)
        for book in scheme.editions
    ]
    insert_rows(session, "part.current.rulebook", editions)
    codes = [
        (scheme.id, code, name)
        for scheme in context.boards
        for code, name in enumerate(class_codes(scheme))
    ]
    insert_rows(session, "part.current.history_code", codes)
    session.views()
    context.inspect_delivery(session)


def _create_cube(session: BuildSession, context: BuildContext, grain: str, scheme: Scheme) -> None:
    """Sum the cells of all months into the cube of one grain and scheme.

    Its dimensions are the classes at the month end and at the openings, and those of the grain.
    """
    types = {name: sql.rsplit("::", 1)[1] for name, sql in _measures(grain).items()}
    sums = [f"sum({name})::{type} as {name}" for name, type in types.items()]
    keys, columns = context.layout.cube_columns(grain, scheme)
    cube = f"cube_{grain}_{scheme.id}"
    session.run(
        f"create table part.history.{cube} as select as_of, {', '.join([*columns, *types])} from ("
        f"select as_of, {', '.join([*keys, *sums])} from {grain}_cells "
        f"group by {', '.join(['as_of', *keys])}) order by as_of",
        cube,
    )


def _measures(grain: str) -> dict[str, str]:
    """Return column and aggregate of every declared metric of a mart that can be summed."""
    measures: dict[str, str] = {}
    for metric in METRICS.values():
        if metric.source.id == f"{grain}_month" and metric.is_additive:
            measures |= metric.measures
    return measures
