"""Loans that had ended, or were written off, and are delivered again as open.

The state of such a loan is gone, or says what no longer holds. All its instalments and payments,
from the first on, are read again in the first month of the load, as if they were delivered with it.
What was published stays: the interest of earlier months, classes, the assessed first payment.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analytics.marts.class_sql import HISTORY_BITS, HISTORY_MONTHS, class_code
from analytics.marts.columns import MaskedArray, to_arrow_table
from analytics.marts.context import BuildContext, fetch_value, run_step, table_columns
from analytics.marts.row_layout import sql_list
from analytics.rulebooks import Scheme
from analytics.rulebooks.schemes import NEW, class_codes
from data.editions.part_writer import BuildSession

# Interest received before the records began, which no month counts.
_OPENING_INTEREST = "loan_opening_interest"
_NO_OPENING_INTEREST = "select null::integer as loan_key, null::decimal(15, 2) as interest limit 0"


class ReinstatedLoans:
    """The reinstated loans of one load, and where their rows are read.

    Parameters
    ----------
    session
        A session of the build; loan_previous holds the state of the last load.
    """

    def __init__(self, session: BuildSession, context: BuildContext) -> None:
        self.context = context
        is_stored = bool(table_columns(session, _OPENING_INTEREST))
        run_step(
            session,
            "loan_reinstated",
            context.parameters(context.months[0]),
            histories=sql_list([_published_history(s) for s in context.loan_boards]),
            opening_interest=f"from {_OPENING_INTEREST}" if is_stored else _NO_OPENING_INTEREST,
        )
        count = fetch_value(session, "select count(*) from loan_reinstated", "loan_reinstated")
        self._exists = count > 0

    def histories(self) -> str:
        """Return the select list of loan_opening_state.sql: class histories of reinstated loans."""
        names = [f"history_{scheme.id}" for scheme in self.context.loan_boards]
        return sql_list([f"coalesce(loan.{name}, published.{name}) as {name}" for name in names])

    def rows(self, table: str, *, is_first: bool) -> str:
        """Return the relation of delivered rows of a table to read in a month.

        Parameters
        ----------
        table
            instalment or payment.
        is_first
            Whether it is the first month of the load: rows of reinstated loans are added.
        """
        delivered = f"part.history.{table}"
        if not (is_first and self._exists):
            return delivered
        earlier = " union all by name ".join(
            f"select * from {catalog}.history.{table}" for catalog in self.context.older
        )
        return (
            f"(select * from {delivered} union all by name select * from ({earlier}) "
            "where loan_key in (select loan_key from loan_reinstated))"
        )


def store_opening_interest(
    session: BuildSession, loans: Mapping[str, MaskedArray], previous: int
) -> None:
    """Store the interest received before the records, from which a reinstated loan starts.

    Parameters
    ----------
    loans
        The loans at the first month end of the records.
    previous
        The month end before it, in days since 1970-01-01.
    """
    interest = loans["interest_total"]
    is_earlier = loans["disbursed_on"].values <= previous
    slots = np.flatnonzero(is_earlier & (interest.values != 0))
    rows = {"loan_key": loans["loan_key"].take(slots), "interest": interest.take(slots)}
    session.register(to_arrow_table(rows), "opening_interest")
    session.run(
        f"create table part.history.{_OPENING_INTEREST} as select * from opening_interest",
        _OPENING_INTEREST,
    )
    session.unregister("opening_interest")


def _published_history(scheme: Scheme) -> str:
    """Return SQL for the classes of the twelve months before the load, as published."""
    new = class_codes(scheme).index(NEW)
    never = sum(new << offset for offset in range(0, HISTORY_MONTHS * HISTORY_BITS, HISTORY_BITS))
    months_back = "date_diff('month', month.as_of, cast($previous as date))"
    # Doubles are exact: twelve classes take 48 bits.
    return (
        f"({never} + coalesce(sum(({class_code(scheme, f'month.{scheme.id}')}::integer - {new})"
        f" * pow({1 << HISTORY_BITS}, {months_back}))"
        f" filter (where {months_back} < {HISTORY_MONTHS}), 0))::ubigint"
        f" as history_{scheme.id}"
    )
