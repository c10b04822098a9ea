"""What the steps of one build share: its months, the schemes that grade them, the values bound month by month, and
how the .sql of a step is run.

The SQL stands in analytics/sql/marts; put into it are declared names only: the class expressions of the rulebooks, the
codes of the contract, the aggregates of metrics.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from analytics import rulebooks
from analytics.marts.row_layout import RowLayout, recoded
from analytics.metrics.assumptions import assumptions
from analytics.rulebooks.schemes import BOARDS, class_codes, in_force
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.part_writer import BuildSession

BEGINNING = date(1, 1, 1)


def run_step(shop: BuildSession, name: str, bound: Mapping[str, Any], **put: str) -> None:
    """Run analytics/sql/marts/`name`: `put` fills its places in braces, `bound` its parameters."""
    shop.run(load(f"marts/{name.removesuffix('.sql')}", **put), name, **bound)


def step_table(shop: BuildSession, name: str, bound: Mapping[str, Any], **put: str):
    """As `run_step`; the last statement's rows as a pyarrow table."""
    return shop.table(load(f"marts/{name.removesuffix('.sql')}", **put), name, **bound)


def insert_rows(shop: BuildSession, table: str, rows: Sequence[tuple]) -> None:
    """Rows into a small table, their values bound."""
    if not rows:
        return
    values = ", ".join(
        f"({', '.join(f'$v{r}_{c}' for c in range(len(row)))})" for r, row in enumerate(rows)
    )
    bound = {f"v{r}_{c}": value for r, row in enumerate(rows) for c, value in enumerate(row)}
    shop.run(f"insert into {table} values {values}", table, **bound)


def columns_of(shop: BuildSession, table: str, catalog: str | None = None) -> list[str]:
    """The columns of a table in their order; none where there is no such table."""
    sql = (
        "select column_name from duckdb_columns() "
        "where table_name = $name and coalesce(database_name = $catalog, true) order by column_index"
    )
    return shop.table(sql, "columns", name=table, catalog=catalog)["column_name"].to_pylist()


class BuildContext:
    """The months of a build (consecutive, ascending) and everything that is known before the first of them."""

    def __init__(self, shop: BuildSession, months: Sequence[date]) -> None:
        self.months, self.older = months, shop.older
        schemes = rulebooks.read_schemes().values()
        self.by_loan = [s for s in schemes if s.grain == "loan"]
        self.by_customer = [s for s in schemes if s.grain == "customer"]
        self.boards = [s for s in schemes if s.id in BOARDS]
        self.loan_boards = [s for s in self.boards if s.grain == "loan"]
        self.five = next(s for s in schemes if s.id == "loan_five")
        self.layout = RowLayout(self.by_loan, self.by_customer)

    @property
    def is_opening(self) -> bool:
        """Whether nothing was built before."""
        return not self.older

    def look(self, shop: BuildSession) -> None:
        """See what the delivery holds, once the views stand."""

        def filled(table: str) -> bool:
            return shop.one(f"select exists (select 1 from {table})", table)[0]

        self.has_deposits, self.has_signals = filled("deposit_balance"), filled("signal")
        self.has_events = not filled("part.history.loan_snapshot")
        self.last_loan_key = 0
        if not self.is_opening:
            self.last_loan_key = shop.one(
                "select coalesce(max(loan_key), 0) from loan_number "
                "where loan_key not in (select loan_key from part.history.loan_number)"
            )[0]

    def books(self, scheme) -> list:
        """The editions of a scheme that grade a month of this load."""
        found = {id(book): book for month in self.months if (book := in_force(scheme, month))}
        return list(found.values())

    def bound(self, month: date) -> dict[str, Any]:
        """The parameters of a month's statements."""
        is_first = month == self.months[0]
        previous, quarter = month_end(month, -1), month_end(month, -3)
        return {
            "as_of": month,
            "previous": previous,
            # The first month of a load takes all that came: a late event counts when it is known, closed months stay.
            "since": BEGINNING if is_first else previous,
            "since_month": BEGINNING if is_first and not self.is_opening else previous,
            "year_before": month_end(month, -12),
            "half_year_before": month_end(month, -6),
            "judged_after": quarter,
            "judged_from": quarter + timedelta(days=1),
            "judged_since": quarter if is_first and self.is_opening else previous,
            "has_deposits": self.has_deposits,
            "has_signals": self.has_signals,
            "has_events": self.has_events,
            "is_first": is_first,
            "is_opening": is_first and self.is_opening,
            "last_loan_key": self.last_loan_key,
            **assumptions(month).parameters(),
        }

    def left(self, shop: BuildSession, state: str, columns: Sequence[str]) -> str:
        """The question for what the last load left in current.`state`; histories in the numbers of today's classes."""
        told = ", ".join(f"{self._history(shop, name)} as {name}" for name in columns)
        return f"select {told} from {self.older[-1]}.current.{state}"

    def resume(self, shop: BuildSession, table: str, state: str, columns: Sequence[str]) -> None:
        """Take up in `table` what the last load left in current.`state`."""
        shop.run(f"insert into {table} by name {self.left(shop, state, columns)}", state)

    def _history(self, shop: BuildSession, column: str) -> str:
        """The classes of a scheme's rulebook may have changed since the last load, and with them their numbers."""
        scheme = next((s for s in self.boards if column == f"history_{s.id}"), None)
        if scheme is None:
            return column
        before = shop.table(
            f"select class from {self.older[-1]}.current.history_code where scheme = $scheme order by code",
            "history_code",
            scheme=scheme.id,
        )["class"].to_pylist()
        return recoded(column, before, class_codes(scheme))
