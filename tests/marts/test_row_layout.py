"""Packed columns of the marts, histories of classes, and the state that a load leaves."""

from pathlib import Path

import duckdb
import pytest

from analytics import rulebooks
from analytics.marts.build import build
from analytics.marts.class_sql import HISTORY_BITS, recode_history
from analytics.rulebooks.schemes import NEW, class_codes
from data import demo
from data.errors import UserError
from data.loading.pipeline import load
from tests.support import bit_map

SCHEMES = rulebooks.read_schemes()
ABCD = SCHEMES["abcd"]


def history(*classes: str, codes: list[str] | None = None) -> int:
    """Return classes, the newest first, as a history; in the months before them NEW."""
    codes = codes or class_codes(ABCD)
    months = [*classes, *[NEW] * (12 - len(classes))]
    return sum(codes.index(name) << HISTORY_BITS * back for back, name in enumerate(months))


def evaluate(sql: str) -> int:
    [[value]] = duckdb.connect().execute(f"select {sql}").fetchall()
    return value


def test_a_history_is_recoded_when_the_classes_of_the_rulebook_change() -> None:
    # The rulebook gains a class in front and loses B: numbers move, B becomes unrated.
    before = class_codes(ABCD)
    now = ["S", *(code for code in before if code != "B")]
    recoded = recode_history(f"{history('A', 'B', 'C')}::ubigint", before, now)
    assert evaluate(recoded) == history("A", rulebooks.UNRATED, "C", codes=now)


def test_a_history_is_unchanged_when_the_classes_are_the_same() -> None:
    codes = class_codes(ABCD)
    assert recode_history("history_abcd", codes, codes) == "history_abcd"


def test_the_readme_has_the_bit_map_of_the_row_layout() -> None:
    text = bit_map.README.read_text("utf-8")
    assert bit_map.with_bit_map(text) == text, "run python -m tests.support.bit_map"


def test_an_edition_without_a_build_state_is_not_continued(tmp_path: Path) -> None:
    demo.write(tmp_path / "first", 200, 3, 5)
    demo.write_next(tmp_path / "next", 200, 3, 5)
    load(tmp_path / "first", "contract", tmp_path / "home", build_marts=None)
    with pytest.raises(UserError, match="load the full delivery again"):
        load(tmp_path / "next", "contract", tmp_path / "home", build_marts=build)
