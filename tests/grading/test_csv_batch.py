"""A CSV of facts: the class and clauses of every row, the wrong rows refused one by one."""

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analytics import rulebooks
from analytics.grading import csv_batch
from analytics.rulebooks import Rulebook
from analytics.rulebooks.conditions import plain_text
from data.errors import UserError

SCHEMES = rulebooks.read_schemes()
FACTS = rulebooks.facts()


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def mixed_cases(book: Rulebook, count: int, seed: int = 3) -> list[dict[str, Any]]:
    """The facts of the worked examples with three of them taken from another example."""
    rng = random.Random(seed)
    empty = dict.fromkeys(book.facts)
    people = [
        empty | {name: value for name, value in case.facts.items() if name in empty}
        for case in book.examples
    ]
    rows = []
    for _ in range(count):
        row, other = dict(rng.choice(people)), rng.choice(people)
        rows.append(
            row | {name: other[name] for name in rng.sample(book.facts, min(3, len(book.facts)))}
        )
    return rows


@pytest.mark.parametrize("scheme", SCHEMES)
def test_many_rows_get_the_class_clauses_and_missing_facts_of_one(
    scheme: str, tmp_path: Path
) -> None:
    book = SCHEMES[scheme].editions[-1]
    rows = mixed_cases(book, 300)
    file = write_csv(
        tmp_path / "facts.csv",
        book.facts,
        [[plain_text(row[name]) for name in book.facts] for row in rows],
    )
    graded = csv_batch.grade(file, book, FACTS[book.grain], "en")
    for row, result in zip(rows, graded.to_dict("records"), strict=True):
        decision = book.classify(row)
        assert result["class"] == decision.code, result
        if decision.code != "unrated":
            assert set(result["clauses"].split("；")) - {""} == set(decision.clauses)
        assert result["missing"] == ", ".join(decision.missing)
        assert result["error"] == ""


@pytest.fixture
def grade(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Grades rows by abcd, whose facts are few."""
    book = SCHEMES["abcd"].editions[-1]

    def grade_rows(header: Sequence[str], *rows: Sequence[str], lang: str = "en") -> pd.DataFrame:
        return csv_batch.grade(
            write_csv(tmp_path / "facts.csv", header, rows), book, FACTS["customer"], lang
        )

    return grade_rows


WHOLE = (
    "customer_id",
    "credit_grade",
    "max_days_past_due_12m",
    "has_loan",
    "contribution_percentile",
    "employer_kind",
)
GOOD = ("C1", "AA", "0", "false", "90", "small_firm")


def test_a_value_of_a_wrong_type_refuses_its_row_only(grade: Callable[..., pd.DataFrame]) -> None:
    result = grade(
        WHOLE, GOOD, ("C2", "AA", "many", "false", "90", "small_firm"), ("C3", *GOOD[1:])
    )
    assert result["class"].tolist() == ["A", "", "A"]
    assert result["error"][1] == "fact max_days_past_due_12m must be a number"
    assert result["customer_id"].tolist() == ["C1", "C2", "C3"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_days_past_due_12m", "1.5"),
        ("max_days_past_due_12m", "inf"),
        ("has_loan", "perhaps"),
        ("credit_grade", "E"),
        ("credit_grade", "AA'; drop table loan; --"),
        ("contribution_percentile", "９０%"),
    ],
)
def test_no_wrong_value_is_classified(
    grade: Callable[..., pd.DataFrame], name: str, value: str
) -> None:
    row = [value if column == name else field for column, field in zip(WHOLE, GOOD, strict=True)]
    result = grade(WHOLE, row, GOOD)
    assert (result["class"][0], result["class"][1]) == ("", "A")
    assert name in result["error"][0]


def test_an_unknown_column_is_named_with_the_fact_that_was_meant(
    grade: Callable[..., pd.DataFrame],
) -> None:
    result = grade(("credit_grad", "max_days_past_due_12m"), ("AA", "120"), ("", "120"))
    assert result["error"][0] == "unknown fact credit_grad; did you mean credit_grade?"
    # the second row has nothing under it and is classified: over 90 days is D
    assert result["class"].tolist() == ["", "D"]


def test_a_missing_fact_leaves_the_row_unrated_and_is_named(
    grade: Callable[..., pd.DataFrame],
) -> None:
    result = grade(WHOLE, ("C1", "", "0", "false", "90", "small_firm"))
    assert (result["class"][0], result["missing"][0], result["error"][0]) == (
        "unrated",
        "credit_grade",
        "",
    )


def test_a_row_with_too_few_fields_is_refused_in_its_place(
    grade: Callable[..., pd.DataFrame],
) -> None:
    result = grade(WHOLE, GOOD, ("C2", "AA"), ("C3", *GOOD[1:]))
    assert result["row"].tolist() == [1, 2, 3]
    assert result["class"].tolist() == ["A", "", "A"]
    assert result["error"][1] == "the row has 2 fields instead of 6"


def test_numbers_are_read_as_one_would_write_them(grade: Callable[..., pd.DataFrame]) -> None:
    result = grade(
        WHOLE,
        ("C1", "AA", " 0 ", "否", "9e1", "small_firm"),
        ("C2", "AA", "0.0", "0", "90", "small_firm"),
    )
    assert result["class"].tolist() == ["A", "A"]


def test_errors_come_in_chinese_too(grade: Callable[..., pd.DataFrame]) -> None:
    result = grade(WHOLE, ("C1", "AA", "many", "false", "90", "small_firm"), lang="zh-CN")
    assert result["error"][0].endswith("必须是数字")


def test_a_file_saved_by_a_chinese_spreadsheet_is_read(tmp_path: Path) -> None:
    file = tmp_path / "facts.csv"
    file.write_bytes("customer_id,max_days_past_due_12m\n客户一,120\n".encode("gb18030"))
    result = csv_batch.grade(file, SCHEMES["abcd"].editions[-1], FACTS["customer"], "en")
    assert (result["customer_id"][0], result["class"][0]) == ("客户一", "D")


@pytest.mark.parametrize("content", ["", "age,age\n1,2\n", "\n"])
def test_a_file_without_a_header_or_with_a_column_twice_is_refused(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "facts.csv"
    file.write_text(content)
    with pytest.raises(UserError):
        csv_batch.grade(file, SCHEMES["abcd"].editions[-1], FACTS["customer"], "en")


def test_a_header_alone_grades_nobody(grade: Callable[..., pd.DataFrame]) -> None:
    assert len(grade(WHOLE)) == 0
