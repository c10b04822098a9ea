"""Which customers are graded again: threshold buckets, and a rulebook edited between two loads."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from analytics.marts.columns import money, number
from analytics.marts.customer_grades import threshold_bucket
from data import demo
from data.dates import month_end
from data.editions.reader import Warehouse

ROOT = Path(__file__).parents[2]
LAST = date(2026, 10, 31)
CUSTOMERS = 400
MONTHS = 4
SEED = 7
BOOK = Path("data", "rulebooks", "value_three", "1990-01-01.toml")
CONDITION = '        { when = "family_assets >= 1000000", ours = true },\n'


class Program:
    """A copy of the program, whose rulebooks can be edited, used through its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in ("data", "analytics"):
            shutil.copytree(
                ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
            )

    def load(self, delivery: Path, home: Path) -> None:
        command = [sys.executable, "-m", "data", "load", str(delivery), "--home", str(home)]
        process = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-2000:]

    def require_a_home(self) -> None:
        """Require a home of premium customers, which no behavioural scheme did before."""
        text = (self.folder / BOOK).read_text("utf-8")
        text = text.replace(
            CONDITION, CONDITION + '        { when = "owns_home_here = true", ours = true },\n'
        )
        text = text.replace("[person.family]\n", "[person.family]\nowns_home_here = true\n")
        (self.folder / BOOK).write_text(text, "utf-8")


@pytest.fixture(scope="module")
def warehouses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Warehouse]]:
    """Load one bank three times.

    `before` has the rulebook as it is, `extended` has it edited before the last month is loaded,
    `whole` has all months loaded under the edited one.
    """
    folder = tmp_path_factory.mktemp("regraded")
    before = month_end(LAST, -1)
    demo.write(folder / "full", CUSTOMERS, MONTHS, SEED, LAST, anchor=before)
    demo.write(folder / "first", CUSTOMERS, MONTHS - 1, SEED, before)
    demo.write_next(folder / "next", CUSTOMERS, MONTHS - 1, SEED, before)
    program = Program(folder / "program")
    program.load(folder / "full", folder / "before")
    program.load(folder / "first", folder / "extended")
    program.require_a_home()
    program.load(folder / "next", folder / "extended")
    program.load(folder / "full", folder / "whole")
    opened = {name: Warehouse(folder / name) for name in ("before", "extended", "whole")}
    yield opened
    for warehouse in opened.values():
        warehouse.close()


def month_of(warehouse: Warehouse, grain: str, as_of: date) -> pa.Table:
    """Return the mart of a month end by the bank's own numbers, without the surrogate keys."""
    columns = [
        c
        for c in warehouse.query(f"select * from {grain}_month limit 0").columns
        if not c.endswith("_key")
    ]
    return warehouse.arrow(
        f"select {grain}_id, {', '.join(f'mart.{column}' for column in columns)} "
        f"from {grain}_month as mart "
        f"join {grain}_number using ({grain}_key) where mart.as_of = $as_of order by {grain}_id",
        as_of=as_of,
    )


@pytest.mark.parametrize("grain", ["customer", "loan"])
def test_an_attribute_used_by_an_edited_rulebook_grades_every_customer_in_the_next_month(
    warehouses: dict[str, Warehouse], grain: str
) -> None:
    extended = month_of(warehouses["extended"], grain, LAST)
    whole = month_of(warehouses["whole"], grain, LAST)
    assert extended.num_rows == whole.num_rows > 100
    differing = [
        name for name in whole.column_names if whole[name].to_pylist() != extended[name].to_pylist()
    ]
    assert differing == []


def test_the_edited_rulebook_gives_other_classes(warehouses: dict[str, Warehouse]) -> None:
    sql = (
        "select count(*) from customer_month "
        "where as_of = $as_of and cast(value_three as varchar) = 'premium'"
    )
    [before] = warehouses["before"].one(sql, as_of=LAST) or (0,)
    [whole] = warehouses["whole"].one(sql, as_of=LAST) or (0,)
    assert 0 < whole < before


def test_published_months_keep_their_classes(warehouses: dict[str, Warehouse]) -> None:
    month = month_end(LAST, -1)
    extended = month_of(warehouses["extended"], "customer", month)
    before = month_of(warehouses["before"], "customer", month)
    assert extended["value_three"].to_pylist() == before["value_three"].to_pylist()


def test_values_that_no_rule_distinguishes_share_a_bucket() -> None:
    # a rule names 30 and 60: below, at, between, at, above
    buckets = threshold_bucket(number(np.array([0, 29, 30, 31, 59, 60, 61, 900])), {30, 60})
    assert buckets.tolist() == [0, 0, 1, 2, 2, 3, 4, 4]


def test_a_threshold_of_an_amount_is_compared_in_fen() -> None:
    # 0.5 CNY are 50 fen
    assert threshold_bucket(money(np.array([49, 50, 51])), {0.5}).tolist() == [0, 1, 2]


def test_a_threshold_between_two_fen_makes_two_buckets() -> None:
    assert threshold_bucket(money(np.array([100, 101])), {"1.005"}).tolist() == [0, 2]


def test_a_null_has_a_bucket_of_its_own() -> None:
    is_valid = np.array([True, False])
    assert threshold_bucket(number(np.array([0, 0]), is_valid), {0}).tolist() == [1, -1]
    flags = number(np.array([1, 0], np.uint8), is_valid)
    assert threshold_bucket(flags, set()).tolist() == [1, -1]
