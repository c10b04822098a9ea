"""A history gives the same figures as one load and cut into increments, with late facts too.

STORIES sets the number of customers whose lives are drawn; 100 unless said otherwise.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.marts.build import build
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from data.loading.plan import Overrides
from tests.support.lives import MONTHS, Life, deliveries, lives, write

LIVES_PER_BANK = 25
STORIES = int(os.environ.get("STORIES", "100"))
BANKS = -(-STORIES // LIVES_PER_BANK)
ACCEPTED = Overrides({"rejects": 1.0, "orphans": 1.0, "conflicts": 1.0}, "property test")
# What a loan is at a month end, whenever its facts became known.
LOAN_STATE = (
    "principal, balance, balance_written_off, overdue_amount, written_off_on, "
    # After a write-off what falls due is no longer followed.
    "case when written_off_on is null then days_past_due end as days_past_due, "
    "loan_five, provision"
)
CUSTOMER_STATE = (
    "first_loan_on, loans_open, loans_ever, loans_settled, loan_balance, overdue_amount, "
    "days_past_due, count_instalments_late_in_a_row, interest_12m"
)
# A loan without a snapshot has no row that could say that it was written off.
LOAN_SUMS = (
    "count(*) filter (where is_new) as new, sum(disbursed) as disbursed, "
    "count(*) filter (where is_newly_written_off and days_past_due is not null) as written_off, "
    "sum(interest_received) as interest"
)
Rows = list[dict[str, Any]]

settings_of_banks = settings(
    max_examples=BANKS,
    deadline=None,
    # A failure names the lives that differ; to shrink a bank would take minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
cuts = st.sets(st.sampled_from(MONTHS[:-1]), min_size=1, max_size=3).map(
    lambda days: [*sorted(days), MONTHS[-1]]
)


def _bank(
    home: Path, books: Sequence[Life], cuts: Sequence[dt.date], is_snapshot: bool
) -> Warehouse:
    """Load the lives as one delivery per cut."""
    for number, rows in enumerate(deliveries(books, cuts, is_snapshot)):
        kind = "increment" if number else "full"
        folder = write(home.parent / f"{home.name}{number}", rows, cuts[number], kind)
        load(folder, "contract", home, build_marts=build, overrides=ACCEPTED)
    return Warehouse(home)


def _rows(bank: Warehouse, sql: str) -> Rows:
    with bank.session() as reader:
        return reader.arrow(sql).to_pylist()


def _mart(bank: Warehouse, grain: str) -> pa.Table:
    """Return all rows of a mart without its surrogate keys, which differ between loads."""
    mart = f"{grain}_month"
    names = [
        name
        for name in bank.query(f"select * from {mart} limit 0").columns
        if not name.endswith(("_key", "_packed"))
    ]
    columns = ", ".join(f"mart.{name}" for name in names)
    with bank.session() as reader:
        return reader.arrow(
            f"select {grain}_id, {columns} from {mart} as mart join {grain}_number "
            f"using ({grain}_key) order by mart.as_of, {grain}_id"
        )


def _last_state(bank: Warehouse) -> dict[str, Rows]:
    """Return what is true at the last month end and what all months add up to."""
    last = f"where as_of = date '{MONTHS[-1]}'"
    return {
        "loans": _rows(
            bank,
            f"select loan_id, {LOAN_STATE} from loan_month join loan_number using (loan_key) "
            f"{last} and (balance > 0 or balance_written_off > 0) order by loan_id",
        ),
        "customers": _rows(
            bank,
            f"select customer_id, {CUSTOMER_STATE} from customer_month "
            f"join customer_number using (customer_key) {last} order by customer_id",
        ),
        "loan sums": _rows(
            bank,
            f"select loan_id, {LOAN_SUMS} from loan_month join loan_number using (loan_key) "
            "group by loan_id order by loan_id",
        ),
        "new customers": _rows(
            bank,
            "select customer_id, count(*) filter (where is_new_borrower) as new "
            "from customer_month join customer_number using (customer_key) "
            "group by customer_id order by customer_id",
        ),
        "settled loans": _rows(
            bank,
            "select loan_id, closed_on from loan_life join loan_number using (loan_key) "
            "order by loan_id",
        ),
    }


def _differences(one: Rows, other: Rows) -> list[tuple[Any, ...]]:
    """Return (id, column, month end, value, other value) of all that differs."""
    ids = [next(iter(row.values())) for row in one], [next(iter(row.values())) for row in other]
    if ids[0] != ids[1]:
        return [
            (id, "rows", "", ids[0].count(id), ids[1].count(id))
            for id in sorted({*ids[0], *ids[1]})
            if ids[0].count(id) != ids[1].count(id)
        ]
    return [
        (next(iter(row.values())), name, str(row.get("as_of", "")), value, row_of_other[name])
        for row, row_of_other in zip(one, other, strict=True)
        for name, value in row.items()
        if value != row_of_other[name]
    ]


def _report(found: list, books: Sequence[Life], cuts: Sequence[dt.date]) -> str:
    """Return the first differences with the life that they belong to."""
    id = found[0][0]
    life = books[int(id.removeprefix("C").split("L")[0])]
    own = [entry for entry in found if str(entry[0]).startswith(id.split("L")[0])]
    return f"{own[:12]}\n{life}\n{cuts}"


@pytest.mark.parametrize("is_snapshot", [False, True], ids=["events", "snapshots"])
def test_increments_give_the_rows_of_one_load(is_snapshot: bool) -> None:
    @settings_of_banks
    @given(
        st.lists(
            lives(has_late=False, is_snapshot=is_snapshot),
            min_size=LIVES_PER_BANK,
            max_size=LIVES_PER_BANK,
        ),
        cuts,
    )
    def compare(books: list[Life], cuts: list[dt.date]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            whole = _bank(Path(folder) / "whole", books, MONTHS[-1:], is_snapshot)
            extended = _bank(Path(folder) / "extended", books, cuts, is_snapshot)
            try:
                for grain in ("loan", "customer"):
                    expected, actual = _mart(whole, grain), _mart(extended, grain)
                    differences = _differences(expected.to_pylist(), actual.to_pylist())
                    assert differences == [], _report(differences, books, cuts)
            finally:
                whole.close()
                extended.close()

    compare()


@pytest.mark.parametrize("is_snapshot", [False, True], ids=["events", "snapshots"])
def test_a_late_fact_stands_in_one_month_and_leaves_the_state_of_one_load(
    is_snapshot: bool,
) -> None:
    @settings_of_banks
    @given(
        st.lists(
            lives(has_late=True, is_snapshot=is_snapshot),
            min_size=LIVES_PER_BANK,
            max_size=LIVES_PER_BANK,
        ),
        cuts,
    )
    def compare(books: list[Life], cuts: list[dt.date]) -> None:
        books = [_deliverable(life, cuts) for life in books]
        with tempfile.TemporaryDirectory() as folder:
            whole = _bank(Path(folder) / "whole", books, MONTHS[-1:], is_snapshot)
            extended = _bank(Path(folder) / "extended", books, cuts, is_snapshot)
            try:
                expected, actual = _last_state(whole), _last_state(extended)
                for name, rows in expected.items():
                    differences = _differences(rows, actual[name])
                    assert differences == [], _report(differences, books, cuts)
            finally:
                whole.close()
                extended.close()

    compare()


def _deliverable(life: Life, cuts: Sequence[dt.date]) -> Life:
    """Return the life without snapshots of months that end before the loan is delivered."""
    for loan in life.loans:
        first = next(cut for cut in cuts if loan.disbursal.in_extract_from <= cut)
        before = max((cut for cut in cuts if cut < first), default=dt.date.min)
        loan.snapshots = [fact for fact in loan.snapshots if fact.on > before]
    return life
