"""Columns of the borrower in loan_month give the same answers as a join with customer_month."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from analytics.analysis import cohorts
from analytics.marts.build import build
from analytics.metrics import drilldown
from analytics.metrics.definitions import DIMENSIONS, METRICS, Dimension, Metric
from analytics.metrics.query import ask, sql_of
from analytics.metrics.question import Question
from data import demo
from data.editions.part_writer import BuildSession
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from tests.conftest import ROOT
from tests.support.deliveries import manifest

TODAY = date(2026, 10, 31)
AUG = date(2026, 8, 31)
MAR = date(2026, 3, 31)
FEB = date(2026, 2, 28)
Build = Callable[[BuildSession, Sequence[date]], None]
TwoLoads = Callable[..., Warehouse]
LOAN_METRICS = [metric for metric in METRICS.values() if metric.source.id == "loan_month"]
BORROWER_DIMENSIONS = [
    dimension for dimension in DIMENSIONS.values() if "customer." in dimension.sql
]


def build_without_borrower_columns(
    session: BuildSession,
    months: Sequence[date],
    progress: Callable[[date], None] | None = None,
) -> None:
    """Build parts like those made before loan_month had columns of the borrower."""
    build(session, months, progress)
    session.run(
        "delete from part.current.computed_columns where table_name = 'loan_month' "
        "and (starts_with(column_name, 'borrower_') or column_name = 'has_borrower_columns')",
        "computed_columns",
    )


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the small bank with two changes.

    C9 has a record from 2026-09-15 only; C1 retires and receives wages here from March 2026.
    """
    folder = tmp_path_factory.mktemp("changing") / "delivery"
    shutil.copytree(
        ROOT / "tests" / "small_bank", folder, ignore=shutil.ignore_patterns("*.json", "*.md")
    )
    path = folder / "customer.csv"
    frame = pd.read_csv(path, dtype=str)
    frame.loc[frame.customer_id == "C9", "valid_from"] = "2026-09-15"
    is_new = (frame.customer_id == "C1") & (frame.valid_from == "2026-03-15")
    frame["employment"] = is_new.map({True: "retired", False: "employed"})
    frame["payroll_since"] = is_new.map({True: "2026-03-01", False: ""})
    frame.to_csv(path, index=False)
    return manifest(folder, "2026-10-31", first="2025-07-31")


@pytest.fixture(scope="module")
def direct(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("direct")
    load(delivery, "contract", home, build_marts=build)
    warehouse = Warehouse(home)
    yield warehouse
    warehouse.close()


@pytest.fixture(scope="module")
def joined(delivery: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Return the same bank in parts without columns of the borrower."""
    home = tmp_path_factory.mktemp("joined")
    load(delivery, "contract", home, build_marts=build_without_borrower_columns)
    warehouse = Warehouse(home)
    yield warehouse
    warehouse.close()


def is_joined(warehouse: Warehouse, question: Question) -> bool:
    return "join customer_month" in sql_of(warehouse, question)


def every_month(metric: Metric, dimension: Dimension) -> Question:
    return Question(metric.id, TODAY, by=(dimension.id,), last=16)


@pytest.mark.parametrize("dimension", BORROWER_DIMENSIONS, ids=lambda dimension: dimension.id)
@pytest.mark.parametrize("metric", LOAN_METRICS, ids=lambda metric: metric.id)
def test_the_figures_of_all_months_equal_those_of_the_join(
    direct: Warehouse, joined: Warehouse, metric: Metric, dimension: Dimension
) -> None:
    if not metric.supports(dimension):
        pytest.skip("the metric does not allow the dimension")
    question = every_month(metric, dimension)
    pd.testing.assert_frame_equal(ask(direct, question), ask(joined, question))


@pytest.mark.parametrize("dimension", BORROWER_DIMENSIONS, ids=lambda dimension: dimension.id)
def test_the_borrower_is_joined_only_for_columns_that_loan_month_lacks(
    direct: Warehouse, joined: Warehouse, dimension: Dimension
) -> None:
    question = every_month(METRICS["balance"], dimension)
    assert is_joined(joined, question)
    # account_type is a text of the source, which has no code to be packed.
    assert is_joined(direct, question) == (dimension.id == "account_type")


@pytest.mark.parametrize("dimension", BORROWER_DIMENSIONS, ids=lambda dimension: dimension.id)
def test_the_list_of_every_cell_equals_that_of_the_join(
    direct: Warehouse, joined: Warehouse, dimension: Dimension
) -> None:
    question = Question("balance", AUG, by=(dimension.id,))
    frame = ask(direct, question)
    for value, n in zip(frame[dimension.id], frame["n"], strict=True):
        cell = {dimension.id: value}
        assert drilldown.count_rows(direct, question, cell) == n
        assert drilldown.count_rows(joined, question, cell) == n
        pd.testing.assert_frame_equal(
            drilldown.list_rows(direct, question, cell), drilldown.list_rows(joined, question, cell)
        )


@pytest.mark.parametrize("dimension", BORROWER_DIMENSIONS, ids=lambda dimension: dimension.id)
def test_cohorts_equal_those_of_the_join(
    direct: Warehouse, joined: Warehouse, dimension: Dimension
) -> None:
    question = Question("loans", TODAY, by=(dimension.id,))
    for curve in (cohorts.vintage, cohorts.first_payment):
        pd.testing.assert_frame_equal(curve(direct, question), curve(joined, question))


def test_a_loan_is_grouped_by_the_attributes_of_its_borrower_at_each_month_end(
    direct: Warehouse,
) -> None:
    def balance(dimension: str, month: date) -> dict[str, float]:
        frame = ask(direct, Question("balance", month, by=(dimension,)))
        return dict(zip(frame[dimension], frame.value, strict=True))

    # L1 of C1, 120,000 less 5,000 a month from August 2025: 85,000 in February (7 paid), 80,000 in
    # March. C1 is AA and employed up to February; from 15 March BBB, retired and paid wages here.
    assert balance("credit_grade", FEB)["AA"] == 85_000
    assert "AA" not in balance("credit_grade", MAR)
    assert balance("employment", MAR)["retired"] == 80_000
    assert balance("payroll", MAR)["yes"] == 80_000
    assert "retired" not in balance("employment", FEB)
    assert set(balance("payroll", FEB)) == {"no"}


def test_a_loan_whose_borrower_is_recorded_later_has_a_borrower_from_the_first_on(
    direct: Warehouse,
) -> None:
    # C9, recorded from 2026-09-15: L8 of 5,000, of which one instalment of 1,000 is due on
    # 20 August and late until 25 September; L14 was settled in July
    where = (("branch_1", ("N",)), ("family", ("consumer",)))
    frame = ask(direct, Question("balance", AUG, by=("borrower",), where=where))
    values = dict(zip(frame["borrower"], frame.value, strict=True))
    assert "unknown" not in values
    parts = ask(direct, Question("balance", AUG, by=("customer_kind",), where=where))
    assert parts.value.sum() == values["yes"]


@pytest.fixture(scope="module")
def two_loads(tmp_path_factory: pytest.TempPathFactory) -> TwoLoads:
    """Return a function that makes a bank of two loads, each with its own build."""
    folder = tmp_path_factory.mktemp("two")
    demo.write(folder / "first", 200, 2, 5)
    demo.write_next(folder / "next", 200, 2, 5)

    def make(name: str, *builds: Build) -> Warehouse:
        home = folder / name
        for delivery, build_marts in zip(("first", "next"), builds, strict=True):
            load(folder / delivery, "contract", home, build_marts=build_marts)
        return Warehouse(home)

    return make


def test_a_chain_with_one_part_without_borrower_columns_is_joined_as_a_whole(
    two_loads: TwoLoads,
) -> None:
    older = two_loads("older", build_without_borrower_columns, build_without_borrower_columns)
    mixed = two_loads("mixed", build_without_borrower_columns, build)
    newer = two_loads("newer", build, build)
    for dimension in BORROWER_DIMENSIONS:
        last_month = mixed.edition.months[-1]
        question = Question("overdue_rate", last_month, by=(dimension.id,), last=3)
        expected = ask(older, question)
        assert is_joined(mixed, question)
        assert is_joined(newer, question) == (dimension.id == "account_type")
        pd.testing.assert_frame_equal(ask(mixed, question), expected)
        pd.testing.assert_frame_equal(ask(newer, question), expected)
    for warehouse in (older, mixed, newer):
        warehouse.close()
