"""A rulebook that is edited between two loads: the next month is graded as if the bank had always had it."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from data import demo
from data.dates import month_end
from data.editions.reader import Warehouse

ROOT = Path(__file__).parents[2]
LAST, CUSTOMERS, MONTHS, SEED = date(2026, 10, 31), 400, 4, 7
BOOK = Path("data", "rulebooks", "value_three", "1990-01-01.toml")
CONDITION = '        { when = "family_assets >= 1000000", ours = true },\n'


class Program:
    """A copy of the program, whose rulebooks can be edited, used through its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for room in ("data", "analytics"):
            shutil.copytree(
                ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__")
            )

    def load(self, delivery: Path, home: Path) -> None:
        command = [sys.executable, "-m", "data", "load", str(delivery), "--home", str(home)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    def ask_for_a_home(self) -> None:
        """Let premium customers by income own a home: an attribute that no scheme asked for but those by attributes."""
        text = (self.folder / BOOK).read_text("utf-8")
        text = text.replace(
            CONDITION, CONDITION + '        { when = "owns_home_here = true", ours = true },\n'
        )
        text = text.replace("[person.family]\n", "[person.family]\nowns_home_here = true\n")
        (self.folder / BOOK).write_text(text, "utf-8")


@pytest.fixture(scope="module")
def banks(tmp_path_factory):
    """One bank three times: `before` with the rulebook as it is, `grown` with it edited before the last month came,
    `whole` with all months loaded under the edited one."""
    folder = tmp_path_factory.mktemp("regraded")
    before = month_end(LAST, -1)
    demo.write(folder / "full", CUSTOMERS, MONTHS, SEED, LAST, anchor=before)
    demo.write(folder / "first", CUSTOMERS, MONTHS - 1, SEED, before)
    demo.write_next(folder / "next", CUSTOMERS, MONTHS - 1, SEED, before)
    program = Program(folder / "program")
    program.load(folder / "full", folder / "before")
    program.load(folder / "first", folder / "grown")
    program.ask_for_a_home()
    program.load(folder / "next", folder / "grown")
    program.load(folder / "full", folder / "whole")
    opened = {name: Warehouse(folder / name) for name in ("before", "grown", "whole")}
    yield opened
    for bank in opened.values():
        bank.close()


def month_of(bank: Warehouse, grain: str, as_of: date):
    """The mart of a month end by the bank's own numbers, without the keys, which each load gives anew."""
    kept = [
        c
        for c in bank.query(f"select * from {grain}_month limit 0").columns
        if not c.endswith("_key")
    ]
    return bank.arrow(
        f"select {grain}_id, {', '.join(f'mart.{column}' for column in kept)} from {grain}_month as mart "
        f"join {grain}_number using ({grain}_key) where mart.as_of = $as_of order by {grain}_id",
        as_of=as_of,
    )


@pytest.mark.parametrize("grain", ["customer", "loan"])
def test_an_attribute_asked_for_by_an_edited_rulebook_is_known_of_everybody_in_the_next_month(
    banks, grain
):
    grown, whole = month_of(banks["grown"], grain, LAST), month_of(banks["whole"], grain, LAST)
    assert grown.num_rows == whole.num_rows > 100
    differing = [
        name for name in whole.column_names if whole[name].to_pylist() != grown[name].to_pylist()
    ]
    assert differing == []


def test_the_edited_rulebook_gives_other_classes(banks):
    sql = "select count(*) from customer_month where as_of = $as_of and cast(value_three as varchar) = 'premium'"
    before, whole = (banks[name].one(sql, as_of=LAST)[0] for name in ("before", "whole"))
    assert 0 < whole < before


def test_months_that_are_closed_keep_the_classes_they_were_published_with(banks):
    month = month_end(LAST, -1)
    grown, before = (
        month_of(banks["grown"], "customer", month),
        month_of(banks["before"], "customer", month),
    )
    assert grown["value_three"].to_pylist() == before["value_three"].to_pylist()
