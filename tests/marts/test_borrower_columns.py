"""What loans are asked of their borrowers: told by the loan's own row, equal to what a join of the two marts gives."""

import shutil
from datetime import date

import pandas as pd
import pytest

from analytics.analysis import cohorts
from analytics.marts.build import build
from analytics.metrics import drilldown
from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.query import Question, ask, sql_of
from data import demo
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from tests.conftest import ROOT
from tests.support.deliveries import manifest

TODAY, AUG, MAR, FEB = (
    date(2026, month, day) for month, day in ((10, 31), (8, 31), (3, 31), (2, 28))
)
OF_LOANS = [metric for metric in METRICS.values() if metric.source.id == "loan_month"]
OF_BORROWERS = [split for split in DIMENSIONS.values() if "customer." in split.sql]


def build_older(shop, months, progress=None) -> None:
    """Build as the program did before rows of loans told of their borrowers."""
    build(shop, months, progress)
    shop.run(
        "delete from part.current.computed_columns where table_name = 'loan_month' and starts_with(column_name, 'borrower_')",
        "older",
    )


@pytest.fixture(scope="module")
def delivery(tmp_path_factory):
    """The small bank, but C9 is known from 2026-09-15 only, and C1 retires and has wages paid in from March 2026."""
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
def told(delivery, tmp_path_factory):
    home = tmp_path_factory.mktemp("told")
    load(delivery, "contract", home, build_marts=build)
    bank = Warehouse(home)
    yield bank
    bank.close()


@pytest.fixture(scope="module")
def joined(delivery, tmp_path_factory):
    """The same bank, loaded by the program before."""
    home = tmp_path_factory.mktemp("joined")
    load(delivery, "contract", home, build_marts=build_older)
    bank = Warehouse(home)
    yield bank
    bank.close()


def is_joined(bank, question: Question) -> bool:
    return "join customer_month" in sql_of(bank, question)


def every_month(metric, split) -> Question:
    return Question(metric.id, TODAY, by=(split.id,), last=16)


@pytest.mark.parametrize("split", OF_BORROWERS, ids=lambda split: split.id)
@pytest.mark.parametrize("metric", OF_LOANS, ids=lambda metric: metric.id)
def test_the_figures_of_all_months_are_those_of_the_join(told, joined, metric, split):
    if not metric.supports(split):
        pytest.skip("not an honest split")
    asked = every_month(metric, split)
    pd.testing.assert_frame_equal(ask(told, asked), ask(joined, asked))


@pytest.mark.parametrize("split", OF_BORROWERS, ids=lambda split: split.id)
def test_the_borrower_is_joined_only_where_the_row_does_not_tell(told, joined, split):
    asked = every_month(METRICS["balance"], split)
    assert is_joined(joined, asked)
    # A text of the source's own has no code to be packed.
    assert is_joined(told, asked) == (split.id == "account_type")


@pytest.mark.parametrize("split", OF_BORROWERS, ids=lambda split: split.id)
def test_every_cell_opens_the_rows_that_the_join_opens(told, joined, split):
    asked = Question("balance", AUG, by=(split.id,))
    for row in ask(told, asked).itertuples():
        cell = {split.id: row[1]}
        assert (
            drilldown.count_rows(told, asked, cell)
            == drilldown.count_rows(joined, asked, cell)
            == row.n
        )
        pd.testing.assert_frame_equal(
            drilldown.list_rows(told, asked, cell), drilldown.list_rows(joined, asked, cell)
        )


@pytest.mark.parametrize("split", OF_BORROWERS, ids=lambda split: split.id)
def test_cohorts_are_those_of_the_join(told, joined, split):
    asked = Question("loans", TODAY, by=(split.id,))
    for found in (cohorts.vintage, cohorts.first_payment):
        pd.testing.assert_frame_equal(found(told, asked), found(joined, asked))


def test_a_loan_is_split_by_what_its_borrower_was_at_each_month_end(told):
    def balance(split: str, month: date) -> dict:
        frame = ask(told, Question("balance", month, by=(split,)))
        return dict(zip(frame[split], frame.value, strict=True))

    # L1 of C1, 120,000 less 5,000 a month from August 2025: 85,000 in February (7 paid), 80,000 in March. C1 is AA with
    # a job up to February, BBB and retired from 15 March on, and has wages paid in from then on.
    assert balance("credit_grade", FEB)["AA"] == 85_000
    assert "AA" not in balance("credit_grade", MAR)
    assert (balance("employment", MAR)["retired"], balance("payroll", MAR)["yes"]) == (
        80_000,
        80_000,
    )
    assert "retired" not in balance("employment", FEB)
    assert set(balance("payroll", FEB)) == {"no"} | {"unknown"}


@pytest.mark.parametrize("split", OF_BORROWERS, ids=lambda split: split.id)
def test_a_loan_whose_borrower_the_bank_does_not_know_yet_is_of_unknown_kind(told, split):
    # C9, known from 2026-09-15: L8 of 5,000, of which one instalment of 1,000 is due on 20 August and late until
    # 25 September; L14 is settled since July
    asked = Question(
        "balance", AUG, by=(split.id,), where=(("branch_1", ("N",)), ("family", ("consumer",)))
    )
    found = ask(told, asked)
    assert found[found[split.id] == "unknown"].value.tolist() == [5_000]


@pytest.fixture(scope="module")
def two_loads(tmp_path_factory):
    """Makes a bank of two loads by the given programs, one after the other."""
    folder = tmp_path_factory.mktemp("two")
    demo.write(folder / "first", 200, 2, 5)
    demo.write_next(folder / "next", 200, 2, 5)

    def made(first, then) -> Warehouse:
        home = folder / f"{first.__name__}_{then.__name__}"
        for delivery, builder in (("first", first), ("next", then)):
            load(folder / delivery, "contract", home, build_marts=builder)
        return Warehouse(home)

    return made


def test_a_chain_with_a_part_of_an_older_program_is_joined_whole(two_loads):
    chain, older, newer = (
        two_loads(build_older, build),
        two_loads(build_older, build_older),
        two_loads(build, build),
    )
    for split in OF_BORROWERS:
        asked = Question("overdue_rate", chain.edition.months[-1], by=(split.id,), last=3)
        found = ask(older, asked)
        assert is_joined(chain, asked)
        assert is_joined(newer, asked) == (split.id == "account_type")
        pd.testing.assert_frame_equal(ask(chain, asked), found)
        pd.testing.assert_frame_equal(ask(newer, asked), found)
    for bank in (chain, older, newer):
        bank.close()
