"""A CSV of facts: the class and clauses of every row, the wrong rows refused one by one."""

import csv
import random

import pytest

from analytics import rulebooks
from analytics.grading import csv_batch
from analytics.rulebooks.conditions import plain_text
from data.errors import UserError

SCHEMES, FACTS = rulebooks.read_schemes(), rulebooks.facts()


def written(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def crossed(book, count, seed=3):
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
def test_many_rows_get_the_class_clauses_and_missing_facts_of_one(scheme, tmp_path):
    book = SCHEMES[scheme].editions[-1]
    rows = crossed(book, 300)
    file = written(
        tmp_path / "facts.csv",
        book.facts,
        [[plain_text(row[name]) for name in book.facts] for row in rows],
    )
    graded = csv_batch.grade(file, book, FACTS[book.grain], "en")
    for row, told in zip(rows, graded.to_dict("records"), strict=True):
        decision = book.classify(row)
        assert told["class"] == decision.code, told
        if decision.code != "unrated":
            assert set(told["clauses"].split("；")) - {""} == set(decision.clauses)
        assert told["missing"] == ", ".join(decision.missing)
        assert told["error"] == ""


@pytest.fixture
def graded(tmp_path):
    """Grades rows by abcd, whose facts are few."""
    book = SCHEMES["abcd"].editions[-1]

    def of(header, *rows, lang="en"):
        return csv_batch.grade(
            written(tmp_path / "facts.csv", header, rows), book, FACTS["customer"], lang
        )

    return of


WHOLE = (
    "customer_id",
    "credit_grade",
    "max_days_past_due_12m",
    "has_loan",
    "contribution_percentile",
    "employer_kind",
)
GOOD = ("C1", "AA", "0", "false", "90", "small_firm")


def test_a_value_of_a_wrong_type_refuses_its_row_only(graded):
    told = graded(WHOLE, GOOD, ("C2", "AA", "many", "false", "90", "small_firm"), ("C3", *GOOD[1:]))
    assert told["class"].tolist() == ["A", "", "A"]
    assert told["error"][1] == "fact max_days_past_due_12m must be a number"
    assert told["customer_id"].tolist() == ["C1", "C2", "C3"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_days_past_due_12m", "1.5"), ("max_days_past_due_12m", "inf"), ("has_loan", "perhaps"), ("credit_grade", "E"),
     ("credit_grade", "AA'; drop table loan; --"), ("contribution_percentile", "９０%")],
)  # fmt: skip
def test_no_wrong_value_is_classified(graded, name, value):
    row = [value if column == name else field for column, field in zip(WHOLE, GOOD, strict=True)]
    told = graded(WHOLE, row, GOOD)
    assert (told["class"][0], told["class"][1]) == ("", "A")
    assert name in told["error"][0]


def test_an_unknown_column_is_named_with_the_fact_that_was_meant(graded):
    told = graded(("credit_grad", "max_days_past_due_12m"), ("AA", "120"), ("", "120"))
    assert told["error"][0] == "unknown fact credit_grad; did you mean credit_grade?"
    # the second row has nothing under it and is classified: over 90 days is D
    assert told["class"].tolist() == ["", "D"]


def test_a_missing_fact_leaves_the_row_unrated_and_is_named(graded):
    told = graded(WHOLE, ("C1", "", "0", "false", "90", "small_firm"))
    assert (told["class"][0], told["missing"][0], told["error"][0]) == (
        "unrated",
        "credit_grade",
        "",
    )


def test_a_row_with_too_few_fields_is_refused_in_its_place(graded):
    told = graded(WHOLE, GOOD, ("C2", "AA"), ("C3", *GOOD[1:]))
    assert told["row"].tolist() == [1, 2, 3]
    assert told["class"].tolist() == ["A", "", "A"]
    assert told["error"][1] == "the row has 2 fields instead of 6"


def test_numbers_are_read_as_one_would_write_them(graded):
    told = graded(
        WHOLE,
        ("C1", "AA", " 0 ", "否", "9e1", "small_firm"),
        ("C2", "AA", "0.0", "0", "90", "small_firm"),
    )
    assert told["class"].tolist() == ["A", "A"]


def test_errors_come_in_chinese_too(graded):
    told = graded(WHOLE, ("C1", "AA", "many", "false", "90", "small_firm"), lang="zh-CN")
    assert told["error"][0].endswith("必须是数字")


def test_a_file_saved_by_a_chinese_spreadsheet_is_read(tmp_path):
    file = tmp_path / "facts.csv"
    file.write_bytes("customer_id,max_days_past_due_12m\n客户一,120\n".encode("gb18030"))
    told = csv_batch.grade(file, SCHEMES["abcd"].editions[-1], FACTS["customer"], "en")
    assert (told["customer_id"][0], told["class"][0]) == ("客户一", "D")


@pytest.mark.parametrize("content", ["", "age,age\n1,2\n", "\n"])
def test_a_file_without_a_header_or_with_a_column_twice_is_refused(tmp_path, content):
    file = tmp_path / "facts.csv"
    file.write_text(content)
    with pytest.raises(UserError):
        csv_batch.grade(file, SCHEMES["abcd"].editions[-1], FACTS["customer"], "en")


def test_a_header_alone_grades_nobody(graded):
    assert len(graded(WHOLE)) == 0
