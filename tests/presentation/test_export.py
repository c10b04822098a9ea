"""Downloads: what a spreadsheet opens is what the page showed, and nothing in it runs."""

import csv
import io

import openpyxl
import pandas as pd
import pytest

from analytics.presentation.export import ExportColumn, csv_bytes, is_formula, xlsx_bytes

COLUMNS = {
    "who": ExportColumn("客户"),
    "value": ExportColumn("逾期率", "rate"),
    "balance": ExportColumn("余额", "money"),
    "n": ExportColumn("n", "count"),
    "day": ExportColumn("日期", "date"),
}
NOTES = [("指标", "逾期率"), ("数据月份", "2026-10-31"), ("筛选", "渠道 = 合作平台")]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": ["张*", '=HYPERLINK("http://evil","x")', "+86 138"],
            "value": [0.0321, float("nan"), 1.0],
            "balance": [1234.5, -7.0, 0.0],
            "n": [30, 2, 1],
            "day": pd.to_datetime(["2026-10-31", None, "2026-09-30"]),
            "hidden": ["a", "b", "c"],
        }
    )


@pytest.fixture
def table(frame: pd.DataFrame) -> list[list[str]]:
    return list(
        csv.reader(io.StringIO(csv_bytes(frame, COLUMNS, NOTES, "zh-CN").decode("utf-8-sig")))
    )


def test_a_csv_begins_with_the_mark_that_makes_excel_read_utf_8(frame: pd.DataFrame) -> None:
    assert csv_bytes(frame, COLUMNS, NOTES, "zh-CN").startswith(b"\xef\xbb\xbf")


def test_a_csv_holds_the_declared_columns_only(table: list[list[str]]) -> None:
    assert table[0] == ["客户", "逾期率", "余额", "n", "日期"]
    assert table[1] == ["张*", "0.0321", "1234.5", "30", "2026-10-31"]


def test_a_missing_value_is_an_empty_field(table: list[list[str]]) -> None:
    assert table[2][1] == ""
    assert table[2][4] == ""


def test_a_formula_in_a_csv_is_disarmed_and_the_file_says_so(table: list[list[str]]) -> None:
    assert table[2][0] == '\'=HYPERLINK("http://evil","x")'
    assert table[3][0] == "'+86 138"
    assert table[-1][1].startswith("2 ")


def test_a_negative_number_is_not_taken_for_a_formula(table: list[list[str]]) -> None:
    assert table[2][2] == "-7.0"


def test_a_csv_says_what_it_shows(table: list[list[str]]) -> None:
    assert ["筛选", "渠道 = 合作平台"] in table


@pytest.mark.parametrize("text", ["=1", " =1", "\u3000＝1", "\ufeff@x", "-2", "\tx", "＋1"])
def test_every_way_to_start_a_formula_is_known(text: str) -> None:
    assert is_formula(text)


@pytest.mark.parametrize("text", ["张三", "a=b", "", "3-4"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert not is_formula(text)


def test_a_workbook_keeps_numbers_as_numbers_and_runs_nothing(frame: pd.DataFrame) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(frame, COLUMNS, NOTES, "zh-CN")))
    sheet = book["数据"]
    assert sheet["B2"].value == 0.0321
    assert sheet["B2"].number_format == "0.00%"
    assert sheet["A3"].data_type == "s"
    assert sheet["A3"].hyperlink is None
    assert sheet["B3"].value is None
    assert sheet.freeze_panes == "A2"


def test_a_workbook_carries_its_definition_sheet(frame: pd.DataFrame) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx_bytes(frame, COLUMNS, NOTES, "zh-CN")))["说明"]
    assert [(row[0].value, row[1].value) for row in sheet.iter_rows()] == NOTES
