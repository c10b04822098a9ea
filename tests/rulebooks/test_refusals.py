"""Refused rulebooks: the error names file, line and clause, and says what to do."""

import contextlib
import shutil
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics import rulebooks
from analytics.rulebooks import NoEdition, RulebookError
from analytics.rulebooks.syntax import parser

BAD = sorted((Path(__file__).parents[1] / "bad_rulebooks").glob("*.toml"))
FACTS = rulebooks.facts()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_rulebook_is_refused_with_line_and_clause(path: Path) -> None:
    expected = path.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ")
    with pytest.raises(RulebookError) as refused:
        rulebooks.read_rulebook_file(path)
    assert expected in str(refused.value)
    assert str(refused.value).startswith(path.name)
    assert refused.value.text("zh-CN") != str(refused.value)


def test_there_is_a_bad_rulebook_for_every_kind_of_fault() -> None:
    assert len(BAD) >= 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped rulebooks that a test may spoil."""
    return Path(shutil.copytree(rulebooks.FOLDER, tmp_path / "rulebooks"))


def test_a_file_named_unlike_its_effective_date_is_refused(folder: Path) -> None:
    (folder / "abcd" / "1990-01-01.toml").rename(folder / "abcd" / "1991-01-01.toml")
    with pytest.raises(RulebookError, match=r"abcd/1991-01-01\.toml.*two editions would overlap"):
        rulebooks.read_schemes(folder)


def test_a_second_file_for_one_day_is_refused(folder: Path) -> None:
    shutil.copy(folder / "abcd" / "1990-01-01.toml", folder / "abcd" / "1990-01-01-b.toml")
    with pytest.raises(RulebookError, match="named by its effective date"):
        rulebooks.read_schemes(folder)


def test_overlapping_editions_are_refused(folder: Path) -> None:
    first = folder / "loan_five" / "2007-07-03.toml"
    text = first.read_text(encoding="utf-8")
    first.write_text(
        text.replace("2007-07-03\n", "2007-07-03\nrepealed_on = 2024-01-01\n"), encoding="utf-8"
    )
    with pytest.raises(
        RulebookError, match="overlaps the edition of 2007-07-03, which runs until 2024-01-01"
    ):
        rulebooks.read_schemes(folder)


def test_after_a_repeal_without_successor_nothing_is_in_force(folder: Path) -> None:
    file = folder / "abcd" / "1990-01-01.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("= 1990-01-01\n", "= 1990-01-01\nrepealed_on = 2020-01-01\n"), encoding="utf-8"
    )
    scheme = rulebooks.read_schemes(folder)["abcd"]
    assert scheme.edition(date(2019, 12, 31)).id == "abcd"
    with pytest.raises(NoEdition):
        scheme.edition(date(2020, 1, 1))


def test_a_huge_file_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    (tmp_path / "huge.toml").write_bytes(b"# " + b"x" * 600_000)
    with pytest.raises(RulebookError, match="larger than 524,288 bytes"):
        rulebooks.read_rulebook_file(tmp_path / "huge.toml")


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "gbk.toml").write_bytes('id = "a"\nname = "零售"'.encode("gb18030"))
    with pytest.raises(RulebookError, match="line 2: the file is not UTF-8"):
        rulebooks.read_rulebook_file(tmp_path / "gbk.toml")


def test_a_number_of_ten_thousand_digits_is_refused() -> None:
    with pytest.raises(RulebookError, match="not valid TOML"):
        rulebooks.parse_rulebook_text("id = " + "9" * 10_000)


def test_an_example_left_behind_by_a_changed_threshold_is_refused() -> None:
    text = (rulebooks.FOLDER / "abcd" / "1990-01-01.toml").read_text(encoding="utf-8")
    with pytest.raises(
        RulebookError, match="61 days past due within a year' says class C, the rules give B"
    ):
        rulebooks.parse_rulebook_text(
            text.replace("max_days_past_due_12m <= 60", "max_days_past_due_12m <= 61")
        )


VALUES = st.sampled_from(["x", "", 5, True, [], {}, [[]], [5], {"a": 1}, ["x"], "age > 5", "A"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_document_with_any_value_anywhere_is_read_or_refused_with_a_sentence(
    data: st.DataObject,
) -> None:
    """A spoiled document is refused as a rulebook or read; nothing else may be raised."""
    document = tomllib.loads(
        (rulebooks.FOLDER / "rating" / "1990-01-01.toml").read_text(encoding="utf-8")
    )
    node = document
    path = []
    while isinstance(node, (dict, list)) and node:
        path.append(
            data.draw(
                st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node))))
            )
        )
        parent, node = node, node[path[-1]]
        if data.draw(st.integers(0, 3)) == 0:
            break
    parent[path[-1]] = data.draw(VALUES)
    reader = parser._Parser("", FACTS, "spoiled.toml")
    reader.document = document
    with contextlib.suppress(RulebookError):
        reader.rulebook(True)
