"""Histories of classes and what an edition leaves for the next load."""

import duckdb
import pytest

from analytics import rulebooks
from analytics.marts.build import build
from analytics.marts.row_layout import HISTORY_BITS, recoded
from analytics.rulebooks.schemes import NEW, class_codes
from data import demo
from data.errors import UserError
from data.loading.pipeline import load

SCHEMES = rulebooks.read_schemes()
ABCD = SCHEMES["abcd"]


def history(*classes: str, codes: list[str] | None = None) -> int:
    """Classes, the newest first, as a history; months before them are NEW."""
    codes = codes or class_codes(ABCD)
    told = [*classes, *[NEW] * (12 - len(classes))]
    return sum(codes.index(name) << HISTORY_BITS * back for back, name in enumerate(told))


def asked(sql: str):
    return duckdb.connect().execute(f"select {sql}").fetchone()[0]


def test_a_history_is_read_in_the_numbers_in_which_it_was_written():
    # The rulebook gains a class in front and loses B: numbers move, B becomes unrated.
    before = class_codes(ABCD)
    now = ["S", *(code for code in before if code != "B")]
    was, told = history("A", "B", "C"), history("A", rulebooks.UNRATED, "C", codes=now)
    assert asked(recoded(f"{was}::ubigint", before, now)) == told


def test_a_history_in_the_same_numbers_is_left_alone():
    assert recoded("history_abcd", class_codes(ABCD), class_codes(ABCD)) == "history_abcd"


def test_an_edition_without_a_state_is_not_continued_but_refused(tmp_path):
    demo.write(tmp_path / "first", 200, 3, 5)
    demo.write_next(tmp_path / "next", 200, 3, 5)
    load(tmp_path / "first", "contract", tmp_path / "home", build_marts=None)
    with pytest.raises(UserError, match="load the full delivery again"):
        load(tmp_path / "next", "contract", tmp_path / "home", build_marts=build)
