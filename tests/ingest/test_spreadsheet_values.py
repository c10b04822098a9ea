"""Numbers, identifiers, merged cells and times as spreadsheets write them."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from data.editions.manifest import Edition
from data.errors import UserError
from tests.support.deliveries import LENIENT, load_tiny, refused, rows, write

DAY = dt.datetime(2024, 1, 10)  # noqa: DTZ001 - a spreadsheet knows no zone
LOANS = ["loan_id", "customer_id", "principal", "disbursed_on", "branch_id"]
EVENTS: dict[str, str | None] = {
    "loan_snapshot": None,
    "instalment": "loan_id,number,due_on,principal\nL1,1,2024-02-10,1000.00\n",
}


def notes(edition: Edition, table: str) -> dict[str, int]:
    """Return the counts of the notes of a table by code."""
    return {note["code"]: note["count"] for note in edition.facts["tables"][table]["notes"]}


def with_loans(folder: Path, lines: list[list], *merged: str) -> Path:
    """Write a delivery whose loans are a sheet with merged ranges."""
    customers = "".join(f"C{number},2024-01-01\n" for number in range(1, 5))
    snapshots = "".join(f"2024-03-31,{line[0]},1.00,0\n" for line in lines if line[1])
    delivery = write(
        folder,
        customer="customer_id,valid_from\n" + customers,
        loan=None,
        loan_snapshot="as_of,loan_id,balance,days_past_due\n" + snapshots,
    )
    book = openpyxl.Workbook()
    sheet = book.active
    for line in [LOANS, *lines]:
        sheet.append(line)
    for name in merged:
        sheet.merge_cells(name)
    book.save(delivery / "loan.xlsx")
    return delivery


def test_wrappers_of_a_spreadsheet_are_taken_off_identifiers_and_noted(tmp_path: Path) -> None:
    """Four spellings of one number have one hash; 'L1 is loan L1."""
    numbers = (
        '"=""11010119900307123X"""',
        "'11010119900307123X",
        "`11010119900307123X",
        "11010119900307123X",
    )
    customers = "".join(f"C{i},2024-01-01,{text}\n" for i, text in enumerate(numbers, 1))
    delivery = write(
        tmp_path / "d",
        customer="customer_id,valid_from,id_number\n" + customers,
        loan="loan_id,customer_id,principal,disbursed_on\n"
        '\'L1,C1,\'1000.00,"=""2024-01-10"""\nL2,\'C2\',2000.00,2024-02-10\n',
    )
    edition = load_tiny(delivery, tmp_path / "h")
    sql = "select count(distinct id_number_hash) as hashes, count(*) as customers from customer"
    assert rows(edition, tmp_path / "h", sql) == [{"hashes": 1, "customers": 4}]
    assert edition.facts["tables"]["loan_snapshot"]["loaded"] == 2
    assert notes(edition, "customer")["spreadsheet_wrapper"] == 3
    assert notes(edition, "loan")["spreadsheet_wrapper"] == 2


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("customer_id", "6.22848E+15", "scientific_notation"),
        ("customer_id", "6.22848e+15", "scientific_notation"),
        ("customer_id", "5E05", None),
        ("customer_id", "12E+05B", None),
        ("id_number", "1.10101E+17", "scientific_notation"),
        ("id_number", "110101199003071000", "excel_digits"),
        ("id_number", "110101199003072703", None),
        ("phone", "1.38E+10", "scientific_notation"),
        ("phone", "'13800000000", None),
    ],
)
def test_an_identifier_that_lost_digits_refuses_its_row(
    tmp_path: Path, column: str, value: str, reason: str | None
) -> None:
    fields = {"customer_id": "C3", "valid_from": "2024-01-01"} | {column: value}
    text = f"{','.join(fields)}\n{','.join(fields.values())}\n"
    for customer in ("C1", "C2"):
        others = fields | {column: ""} | {"customer_id": customer}
        text += ",".join(others.values()) + "\n"
    delivery = write(tmp_path / "d", customer=text)
    edition = load_tiny(delivery, tmp_path / "h", limits=LENIENT)
    expected = [("customer", 2, column, reason)] if reason else []
    assert refused(edition, tmp_path / "h") == expected


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1e+05", "100000.00"),
        ("1.25e+06", "1250000.00"),
        ("-2.5e3", None),
        ("1.0E7", "10000000.00"),
        ("5e-02", "0.05"),
        ("0e+00", "0.00"),
    ],
)
def test_an_exact_amount_with_an_exponent_is_read_and_noted(
    tmp_path: Path, text: str, amount: str | None
) -> None:
    """R writes 100000 as 1e+05; -2.5e3 is the number -2500, below zero."""
    loan = f"loan_id,customer_id,principal,disbursed_on\nL1,C1,{text},2024-01-10\n"
    delivery = write(tmp_path / "d", loan=loan + "L2,C2,2000.00,2024-02-10\n")
    edition = load_tiny(delivery, tmp_path / "h", limits=LENIENT)
    assert notes(edition, "loan")["exponent"] == 1
    if amount is None:
        assert ("loan", 2, "principal", "below_min") in refused(edition, tmp_path / "h")
        return
    sql = "select principal from loan order by loan_key limit 1"
    assert rows(edition, tmp_path / "h", sql) == [{"principal": Decimal(amount)}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1.25e-01", "too_many_decimals"),
        ("1e-13", "too_many_decimals"),
        ("1.23E+05", "scientific_notation"),
        ("1.23457E+11", "scientific_notation"),
        ("1.23457e+06", "scientific_notation"),
        ("e+05", "not_a_number"),
    ],
)
def test_an_amount_that_may_have_been_rounded_refuses_its_row(
    tmp_path: Path, text: str, reason: str
) -> None:
    """1.25e-01 is 0.125; Excel writes 123,456 as 1.23E+05, SQL Server 1,234,567 as 1.23457e+06."""
    loan = f"loan_id,customer_id,principal,disbursed_on\nL1,C1,{text},2024-01-10\n"
    delivery = write(tmp_path / "d", loan=loan + "L2,C2,2000.00,2024-02-10\n")
    edition = load_tiny(delivery, tmp_path / "h", limits=LENIENT)
    assert ("loan", 2, "principal", reason) in refused(edition, tmp_path / "h")


def test_codes_merged_over_rows_are_those_of_each_row(tmp_path: Path) -> None:
    """Branch B1 of three loans of 1,000, 2,000 and 3,000 has 6,000; the last loan has none."""
    delivery = with_loans(
        tmp_path / "d",
        [
            ["L1", "C1", 1000, DAY, "B1"],
            ["L2", "C2", 2000, DAY, None],
            ["L3", "C3", 3000, DAY, None],
            ["L4", "C4", 4000, DAY, None],
        ],
        "E2:E4",
    )
    edition = load_tiny(delivery, tmp_path / "h")
    sql = (
        "select branch_id, sum(principal)::int as principal from loan "
        "left join branch using (branch_key) group by all order by 2"
    )
    amounts = [row["principal"] for row in rows(edition, tmp_path / "h", sql)]
    assert amounts == [4000, 6000]
    assert notes(edition, "loan")["merged_cells"] == 2


@pytest.mark.parametrize("merged", ["C2:C4", "D3:E3", "A1:A2", "C2:E3"])
def test_merged_amounts_and_cells_merged_across_columns_are_refused(
    tmp_path: Path, merged: str
) -> None:
    """6,000 over three loans: the total of the three, or the amount of each?"""
    lines = [[f"L{i}", f"C{i}", 6000, DAY, "B1"] for i in (1, 2, 3)]
    with pytest.raises(UserError, match=rf"loan\.xlsx: the merged cells {merged} hold"):
        load_tiny(with_loans(tmp_path / "d", lines, merged), tmp_path / "h")


def test_a_total_row_merged_across_columns_stays_a_trailer(tmp_path: Path) -> None:
    lines = [["L1", "C1", 1000, DAY, "B1"], ["合计", None, 1000, None, None]]
    delivery = with_loans(tmp_path / "d", lines, "A3:B3")
    edition = load_tiny(delivery, tmp_path / "h")
    assert edition.facts["tables"]["loan"]["skips"] == {"trailer_lines": 1}


@pytest.mark.parametrize(
    ("serial", "day"),
    [
        (45322.999999995, "2024-01-31"),
        (45322.99999, "2024-01-31"),
        (45323 - 2e-11, "2024-02-01"),
        (45323.0, "2024-02-01"),
        (45322.5, "2024-01-31"),
    ],
)
def test_a_time_before_midnight_belongs_to_its_day(tmp_path: Path, serial: float, day: str) -> None:
    """45,322 is 2024-01-31; 2e-11 of a day, 2 microseconds, is what sums of times are short of."""
    delivery = write(tmp_path / "d", **EVENTS)
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["payment_id", "loan_id", "paid_at", "amount"])
    sheet.append(["P1", "L1", serial, 100])
    sheet["C2"].number_format = "yyyy-mm-dd hh:mm:ss"
    book.save(delivery / "payment.xlsx")
    edition = load_tiny(delivery, tmp_path / "h")
    paid = rows(edition, tmp_path / "h", "select paid_on::varchar as day from payment")
    assert paid == [{"day": day}]
