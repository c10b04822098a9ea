"""The exports of the lists: the file has exactly the rows that the cell counted."""

import csv
import io
from collections.abc import Callable
from datetime import date

import pytest

from analytics.analysis import cohorts, migration
from analytics.analysis.cohorts import CohortQuery
from analytics.analysis.migration import MigrationQuery
from analytics.metrics import query
from analytics.metrics.question import Question
from analytics.presentation import export
from data.editions.reader import Warehouse
from pages.parts.widgets import list_table
from pages.parts.widgets.list_table import Writer
from tests.support.page_text import OpenPage

LAST = date(2026, 10, 31)
BEFORE = date(2026, 9, 30)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The CSV file of every list that a page draws, written at once instead of at a click."""
    written_files: list[bytes] = []

    def write_at_once(write_file: Callable[[Writer], bytes], *_: str, **__: bool) -> None:
        written_files.append(write_file(export.csv_bytes))

    monkeypatch.setattr(list_table, "downloads", write_at_once)
    return written_files


def count_rows(file: bytes) -> int:
    """Return the rows of the table: between the header and the empty line before the notes."""
    rows = list(csv.reader(io.StringIO(file.decode("utf-8-sig"))))
    return rows.index([]) - 1


def test_the_list_of_a_cell_is_exported_whole(
    app: OpenPage, bank: Warehouse, files: list[bytes]
) -> None:
    answer = query.ask(bank, Question("overdue_rate_30", LAST, by=("class",)))
    n = answer[answer["class"] == "B"]["n"].iloc[0]
    app(open="overdue_rate_30", cell="class:B")
    assert [count_rows(file) for file in files] == [n]


def test_the_list_of_a_move_is_exported_whole(
    app: OpenPage, bank: Warehouse, files: list[bytes]
) -> None:
    cell = {"before": "A", "after": "A"}
    n = migration.count_rows(bank, MigrationQuery(Question("customers", LAST), BEFORE), cell)
    app("analysis/migration", scheme="abcd", moved="before:A~after:A")
    assert n > 0
    assert [count_rows(file) for file in files] == [n]


def test_the_list_of_a_cohort_is_exported_whole(
    app: OpenPage, bank: Warehouse, files: list[bytes]
) -> None:
    cell = {"cohort": "2025-10-01", "month": "6"}
    n = cohorts.count_rows(bank, CohortQuery(Question("loans", LAST), "vintage"), cell)
    app("analysis/migration", view="vintage", moved="cohort:2025-10-01~month:6")
    assert n > 0
    assert [count_rows(file) for file in files] == [n]
