"""The book check: contradictions within a delivery that row by row nobody sees.

Each check is a query in data/loading/checks that returns the places where the books contradict
themselves. A contradiction that changes figures holds the load: nothing is published until a named
person lets it pass. One that the bank may mean is taken. Either way the load notes the number, the
sum of money and the first places, and stores the places in history.finding; nothing is silent.

The sentences are in data/messages: `load` says why a load is held, `note` what is noted, and
`effect` which figures it changes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from data.errors import UserError
from data.loading.casting import cast
from data.loading.reconciliation import LoadCounts
from data.loading.sql_files import load_sql
from data.loading.validation import RowValidator, StagedTable

PLACES_IN_NOTE = 5
PLACES_STORED = 1000


@dataclass(frozen=True)
class Check:
    """One check of the books.

    Parameters
    ----------
    code
        Of its sentences.
    table
        The table whose notes take the finding; the check runs when the table is delivered.
    is_hold
        Whether a finding holds the load.
    query
        The file in data/loading/checks, the code by default.
    """

    code: str
    table: str
    is_hold: bool
    query: str = ""
    placeholders: Mapping[str, str] = field(default_factory=dict)


CHECKS = (
    Check("rate_unit", "loan", is_hold=True),
    Check(
        "term_unit", "loan", is_hold=True, query="term_unit", placeholders={"share": "share > 0.5"}
    ),
    Check(
        "term_differs",
        "loan",
        is_hold=False,
        query="term_unit",
        placeholders={"share": "share <= 0.5"},
    ),
    Check("dates_far", "loan", is_hold=False),
    Check("amount_unit", "instalment", is_hold=True),
    Check("money_unit", "loan_snapshot", is_hold=True),
    Check("snapshots_missing", "loan_snapshot", is_hold=True),
    Check("snapshots_end", "loan_snapshot", is_hold=False),
    Check("balance_after_end", "loan_snapshot", is_hold=False),
    Check("late_without_balance", "loan_snapshot", is_hold=False),
    Check("balance_above_principal", "loan_snapshot", is_hold=False),
    Check("deposits_missing", "deposit_balance", is_hold=True),
)


class HeldDelivery(UserError):
    """The delivery is held; `code` and `facts` are those of the first hold.

    Parameters
    ----------
    holds
        What holds it, at least one.
    tables
        The counts of every table, with the notes of all findings.
    """

    def __init__(self, holds: Sequence[UserError], tables: Mapping[str, LoadCounts]) -> None:
        super().__init__(holds[0].code, **holds[0].facts)
        self.args = ("\n".join(str(hold) for hold in holds),)
        self.holds = tuple(holds)
        self.tables = tables

    def text(self, language: str) -> str:
        """Return the sentences of all holds in one language, one a line."""
        return "\n".join(hold.text(language) for hold in self.holds)


def check_books(
    validator: RowValidator,
    delivered: Mapping[str, StagedTable],
    first: dt.date,
    accepted_by: str | None,
) -> list[UserError]:
    """Run the checks of the delivered tables, note and store what they find.

    Parameters
    ----------
    first
        The first month end of the load.
    accepted_by
        The person who lets holds pass, whose name the notes carry.

    Returns
    -------
    The holds, whether or not they are let pass.
    """
    # The checks read the books of all parts.
    validator.session.views()
    if staged := delivered.get("loan_snapshot"):
        _count_refused(validator, staged)
    holds: list[UserError] = []
    for check in CHECKS:
        if check.table in delivered:
            holds += _run(validator, check, first, accepted_by)
    return holds


def _count_refused(validator: RowValidator, staged: StagedTable) -> None:
    loan_id = cast(staged.table.columns["loan_id"], staged.families["loan_id"]).tidy
    sql = load_sql("refused_snapshots", loan_id=loan_id, staged=staged.name)
    validator.run(sql, "loan_snapshot: refused rows")


def _run(
    validator: RowValidator, check: Check, first: dt.date, accepted_by: str | None
) -> list[UserError]:
    query = load_sql(f"checks/{check.query or check.code}", **check.placeholders)
    validator.run(f"create or replace temp table book_finding as {query}", check.code, first=first)
    count, balance = validator.one(load_sql("findings_sum"), check.code)
    if not count:
        return []
    validator.run(
        load_sql("findings"), check.code, code=check.code, table=check.table, most=PLACES_STORED
    )
    facts = {"balance": str(balance), "places": _first_places(validator)}
    counts = validator.counts_by_table[check.table]
    if not check.is_hold:
        counts.note(check.code, count, **facts)
        return []
    counts.note(check.code, count, **facts, accepted_by=accepted_by)
    hold = UserError(
        check.code,
        table=check.table,
        count=count,
        balance=_grouped(balance),
        places=facts["places"],
    )
    return [hold]


def _first_places(validator: RowValidator) -> list[str]:
    """Return the first places in words: number, day and value, those that there are."""
    rows = validator.session.table(
        "select id, day::varchar as day, value from book_finding "
        "order by day, id, value limit $most",
        "places",
        most=PLACES_IN_NOTE,
    ).to_pylist()
    return [" ".join(filter(None, row.values())) for row in rows]


def _grouped(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def note_volume(
    tables: Mapping[str, LoadCounts], error: UserError, accepted_by: str | None
) -> None:
    """Note a change of volume that a named person lets pass."""
    facts: dict[str, Any] = {"places": [str(error.facts["what"])], "accepted_by": accepted_by}
    tables[error.facts["table"]].note("unit_override", 1, **facts)
