"""What the stages of one build share: months, schemes, SQL parameters, and how a .sql file is run.

The SQL is in analytics/sql/marts. Its placeholders are filled with declared names only: the class
expressions of the rulebooks, the codes of the contract, the aggregates of metrics.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from analytics import rulebooks
from analytics.marts.class_sql import recode_history
from analytics.marts.row_layout import RowLayout
from analytics.metrics.assumptions import assumptions
from analytics.rulebooks import Rulebook, Scheme
from analytics.rulebooks.schemes import BOARDS, class_codes, in_force
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.part_writer import BuildSession

_BEGINNING = date(1, 1, 1)


def run_step(
    session: BuildSession, name: str, parameters: Mapping[str, Any], **placeholders: str
) -> None:
    """Run analytics/sql/marts/`name`.sql."""
    session.run(load(f"marts/{name}", **placeholders), f"{name}.sql", **parameters)


def step_table(
    session: BuildSession, name: str, parameters: Mapping[str, Any], **placeholders: str
) -> pa.Table:
    """Run analytics/sql/marts/`name`.sql and return the rows of its last statement."""
    return session.table(load(f"marts/{name}", **placeholders), f"{name}.sql", **parameters)


def fetch_value(session: BuildSession, sql: str, label: str) -> Any:
    """Return the first column of the first row of a query that always has a row."""
    row = session.one(sql, label)
    if row is None:
        raise LookupError(f"{label}: no row")
    return row[0]


def insert_rows(session: BuildSession, table: str, rows: Sequence[tuple]) -> None:
    """Insert rows into a small table, their values bound."""
    if not rows:
        return
    tuples = []
    parameters = {}
    for number, row in enumerate(rows):
        names = [f"v{number}_{column}" for column in range(len(row))]
        parameters |= dict(zip(names, row, strict=True))
        tuples.append(f"({', '.join(f'${name}' for name in names)})")
    session.run(f"insert into {table} values {', '.join(tuples)}", table, **parameters)


def table_columns(session: BuildSession, table: str, catalog: str | None = None) -> list[str]:
    """Return the columns of a table in their order; none when there is no such table."""
    sql = (
        "select column_name from duckdb_columns() "
        "where table_name = $name and coalesce(database_name = $catalog, true) "
        "order by column_index"
    )
    columns = session.table(sql, "columns", name=table, catalog=catalog)
    return columns["column_name"].to_pylist()


class BuildContext:
    """The months of a build and everything that is known before the first of them.

    Parameters
    ----------
    session
        The session of the part under construction.
    months
        Month ends, consecutive and ascending.
    """

    def __init__(self, session: BuildSession, months: Sequence[date]) -> None:
        schemes = rulebooks.read_schemes()
        self.months = months
        self.older = session.older
        self.loan_schemes = [s for s in schemes.values() if s.grain == "loan"]
        self.customer_schemes = [s for s in schemes.values() if s.grain == "customer"]
        self.boards = [s for s in schemes.values() if s.id in BOARDS]
        self.loan_boards = [s for s in self.boards if s.grain == "loan"]
        self.loan_five = schemes["loan_five"]
        self.layout = RowLayout(self.loan_schemes, self.customer_schemes)
        self.has_deposits = False
        self.has_signals = False
        self.has_events = False
        self.last_loan_key = 0
        # The month end before the first of all records.
        self.records_from = month_end(months[0], -1)

    @property
    def is_first_load(self) -> bool:
        """Whether there are no older parts."""
        return not self.older

    def inspect_delivery(self, session: BuildSession) -> None:
        """Find out which tables hold rows; the views must exist."""
        self.has_deposits = _has_rows(session, "deposit_balance")
        self.has_signals = _has_rows(session, "signal")
        self.has_events = not _has_rows(session, "part.history.loan_snapshot")
        if not self.is_first_load:
            self.records_from = self._records_from(session)
            self.last_loan_key = fetch_value(
                session,
                "select coalesce(max(loan_key), 0) from loan_number "
                "where loan_key not in (select loan_key from part.history.loan_number)",
                "loan_number",
            )

    def _records_from(self, session: BuildSession) -> date:
        """Return the month end before the first month of all records."""
        first = None
        if table_columns(session, "loan_month", self.older[0]):
            sql = f"select min(as_of) from {self.older[0]}.history.loan_month"
            first = fetch_value(session, sql, "loan_month")
        return month_end(first or self.months[0], -1)

    def rulebooks_in_force(self, scheme: Scheme) -> list[Rulebook]:
        """Return the editions of a scheme that grade a month of this load."""
        books = {id(book): book for month in self.months if (book := in_force(scheme, month))}
        return list(books.values())

    def parameters(self, month: date) -> dict[str, Any]:
        """Return the SQL parameters of a month; each statement takes those that it names."""
        is_first = month == self.months[0]
        is_first_of_records = is_first and self.is_first_load
        is_first_of_later_load = is_first and not self.is_first_load
        previous = month_end(month, -1)
        quarter_before = month_end(month, -3)
        return {
            "as_of": month,
            "previous": previous,
            # The first month of a load takes every event not yet seen: a late one counts when it is
            # delivered, and closed months stay as they were published.
            "since": _BEGINNING if is_first else previous,
            "since_month": _BEGINNING if is_first_of_later_load else previous,
            "year_before": month_end(month, -12),
            "quarter_before": quarter_before,
            "assessed_from": quarter_before + timedelta(days=1),
            "assessed_since": quarter_before if is_first_of_records else previous,
            "has_signals": self.has_signals,
            "has_events": self.has_events,
            "records_from": self.records_from,
            "is_first": is_first,
            "is_first_of_records": is_first_of_records,
            "last_loan_key": self.last_loan_key,
            **assumptions(month).parameters(),
        }

    def previous_state_query(
        self, session: BuildSession, table: str, columns: Sequence[str]
    ) -> str:
        """Return the query of a state table that the last load stored in schema current.

        Class histories come in the class numbers of today's rulebooks.
        """
        items = ", ".join(f"{self._recoded(session, name)} as {name}" for name in columns)
        return f"select {items} from {self.older[-1]}.current.{table}"

    def restore_state(
        self, session: BuildSession, into: str, table: str, columns: Sequence[str]
    ) -> None:
        """Insert the rows of `previous_state_query` into the table `into`."""
        query = self.previous_state_query(session, table, columns)
        session.run(f"insert into {into} by name {query}", table)

    def _recoded(self, session: BuildSession, column: str) -> str:
        """Return SQL for a column of the state; a history is recoded if its rulebook changed."""
        scheme = next((s for s in self.boards if column == f"history_{s.id}"), None)
        if scheme is None:
            return column
        before = session.table(
            f"select class from {self.older[-1]}.current.history_code "
            "where scheme = $scheme order by code",
            "history_code",
            scheme=scheme.id,
        )
        return recode_history(column, before["class"].to_pylist(), class_codes(scheme))


def _has_rows(session: BuildSession, table: str) -> bool:
    return fetch_value(session, f"select exists (select 1 from {table})", table)
