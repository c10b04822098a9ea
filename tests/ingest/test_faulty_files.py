"""Faulty and hostile Parquet and Excel files."""

import datetime as dt
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from data.editions.manifest import Edition
from data.errors import UserError
from tests.support.deliveries import LENIENT, load_tiny, manifest, refused, rows, write

DAY = dt.date(2024, 1, 10)
HEAD = ["as_of", "loan_id", "balance", "days_past_due"]
MARCH = dt.datetime(2024, 3, 31)  # noqa: DTZ001 - a spreadsheet knows no zone


def loans(**columns: pa.Array) -> pa.Table:
    """Return two loans with some columns replaced."""
    plain = {
        "loan_id": pa.array(["L1", "L2"]),
        "customer_id": pa.array(["C1", "C2"]),
        "principal": pa.array([Decimal("1000.00"), Decimal("2000.00")], pa.decimal128(18, 2)),
        "disbursed_on": pa.array([DAY, DAY]),
    }
    return pa.table(plain | columns)


def with_loans(tmp_path: Path, table: pa.Table) -> Path:
    """Write a delivery whose loans are a Parquet file."""
    delivery = write(tmp_path / "d", loan=None)
    pq.write_table(table, delivery / "loan.parquet")
    return delivery


def with_sheet(tmp_path: Path, lines: list[list], **options: bool) -> Path:
    """Write a delivery whose loan_snapshot is a workbook with these rows."""
    delivery = write(tmp_path / "d", loan_snapshot=None)
    book = openpyxl.Workbook()
    if options.get("epoch_1904"):
        book.epoch = CALENDAR_MAC_1904
    for line in lines:
        book.active.append(line)
    if options.get("second"):
        book.create_sheet("备注")
    book.save(delivery / "loan_snapshot.xlsx")
    return delivery


def snapshots(edition: Edition, home: Path) -> list[tuple]:
    """Return as_of, balance and days past due of every loan."""
    result = rows(
        edition, home, "select as_of, balance, days_past_due from loan_snapshot order by loan_key"
    )
    return [tuple(row.values()) for row in result]


@pytest.mark.parametrize("damage", ["cut", "renamed"])
def test_a_cut_or_renamed_parquet_file_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Fault 71."""
    delivery = with_loans(tmp_path, loans())
    path = delivery / "loan.parquet"
    path.write_bytes(
        path.read_bytes()[:-20] if damage == "cut" else b"loan_id,customer_id\nL1,C1\n"
    )
    with pytest.raises(UserError, match=r"loan\.parquet is no whole Parquet file"):
        load_tiny(delivery, tmp_path / "h")


def test_a_flipped_bit_in_a_parquet_file_is_detected_by_its_sha256(tmp_path: Path) -> None:
    """Fault 72."""
    delivery = manifest(with_loans(tmp_path, loans()))
    path = delivery / "loan.parquet"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"sha256 of loan\.parquet differs"):
        load_tiny(delivery, tmp_path / "h")


@pytest.mark.parametrize(
    ("column", "values", "family"),
    [
        ("loan_id", pa.array([1, 2]), "int"),
        ("disbursed_on", pa.array([20240110, 20240110]), "int"),
        ("principal", pa.array([[1.0], [2.0]]), "list<"),
        ("customer_id", pa.array([1.0, 2.0]), "float"),
    ],
)
def test_a_parquet_column_that_cannot_hold_the_contracts_type_is_refused(
    tmp_path: Path, column: str, values: pa.Array, family: str
) -> None:
    """Fault 73."""
    with pytest.raises(
        UserError, match=rf"column {column} of loan\.parquet is {family}.*the contract wants"
    ):
        load_tiny(with_loans(tmp_path, loans(**{column: values})), tmp_path / "h")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            pa.array([Decimal("1000.001"), Decimal("2000.000")], pa.decimal128(38, 3)),
            "too_many_decimals",
        ),
        (pa.array([Decimal(10**30), Decimal(1)], pa.decimal128(38, 2)), "out_of_range"),
        (pa.array([float("nan"), 1.5]), "not_a_number"),
        (pa.array([0.005, 1.5]), "too_many_decimals"),
        (pa.array([2**64 - 1, 2], pa.uint64()), "out_of_range"),
        (pa.array(["1.2万", "2"]), "not_a_number"),
    ],
)
def test_a_parquet_amount_is_read_exactly_or_its_row_rejected(
    tmp_path: Path, values: pa.Array, reason: str
) -> None:
    """Fault 73."""
    edition = load_tiny(
        with_loans(tmp_path, loans(principal=values)), tmp_path / "h", limits=LENIENT
    )
    assert ("loan", 1, "principal", reason) in refused(edition, tmp_path / "h")
    assert edition.facts["tables"]["loan"]["loaded"] == 1


def timestamps(*days: dt.date | None) -> pa.Array:
    """Return nine o'clock of each day."""
    return pa.array(
        [day and dt.datetime.combine(day, dt.time(9)) for day in days], pa.timestamp("us")
    )


EARLY = dt.date(2024, 1, 1)
LONG_AGO = dt.date(1899, 12, 31)
LATE = dt.date(2024, 4, 1)
# The first rows are valid, each of the others may have a fault.
TYPED = {
    "payment": {
        "payment_id": pa.array(
            [
                *(f"P10000{n}" for n in range(8)),
                "-",
                "n/a",
                "null",
                "",
                None,
                "P\t1",
                "#REF!",
                " P100009 ",
                "Ｐ１００１０",
            ]
        ),
        "loan_id": pa.array(["L1", "L2", "L9", None, " L1 ", *["L1"] * 12]),
        "paid_at": timestamps(DAY, DAY, DAY, DAY, DAY, None, LONG_AGO, LATE, *[DAY] * 9),
        "amount": pa.array([Decimal(10)] * 4 + [None] + [Decimal(-3)] * 12, pa.decimal128(18, 2)),
    },
    "instalment": {
        "loan_id": pa.array(["L1"] * 7),
        "number": pa.array([1, 2, 3_000_000_000, 0, None, -(2**40), 3]),
        "due_on": pa.array([DAY, DAY, DAY, DAY, DAY, DAY, EARLY]),
        "principal": pa.array([Decimal(10)] * 7, pa.decimal128(18, 2)),
    },
    "application": {
        "application_id": pa.array([f"A10000{n}" for n in range(9)]),
        "customer_id": pa.array(["C1", None, "C9", "n/a", "C2", "C2", "C2", "C2", "C2"]),
        "product_id": pa.array(["M1", "M1", "M1", "M1", None, " M1", "M9", "M1", "M1"]),
        "branch_id": pa.array(["B1", None, "B1", "B1", "-", "B1", "B1", "B1", "B1"]),
        "channel": pa.array(
            ["branch", None, "online", "fax", "BRANCH", "-", "branch", "branch", "branch"]
        ),
        "applied_on": pa.array([DAY] * 6 + [None, LATE, DAY]),
        "loan_id": pa.array(["L1", None, "L1", "L1", "L9", "L1", "L1", "L1", " L2"]),
    },
}


@pytest.mark.parametrize("table", TYPED)
def test_a_typed_row_of_parquet_is_validated_as_the_same_row_in_text(
    tmp_path: Path, table: str
) -> None:
    other = {
        "payment": "payment_id,loan_id,paid_at,amount\nP1,L1,2024-02-10,100.00\n",
        "instalment": "loan_id,number,due_on,principal\nL1,1,2024-02-10,100.00\n",
        "product": "product_id,name,family\nM1,月供贷,mortgage\n",
        "branch": "branch_id,name\nB1,总行\n",
    }
    typed = pa.table(TYPED[table])
    columns = "* exclude (delivery)" if table == "application" else "*"
    outcomes = {}
    for form in ("parquet", "csv"):
        delivery = write(tmp_path / form, loan_snapshot=None, **other | {table: None})
        if form == "csv":
            pa.csv.write_csv(typed, delivery / f"{table}.csv")
        else:
            pq.write_table(typed, delivery / f"{table}.parquet")
        home = tmp_path / f"home of {form}"
        edition = load_tiny(delivery, home, limits=LENIENT)
        loaded = rows(edition, home, f"select {columns} from {table} order by all")
        # The first row of the text file is in line 2.
        rejected = [
            (line - (form == "csv"), *fault)
            for name, line, *fault in refused(edition, home)
            if name == table
        ]
        outcomes[form] = (loaded, rejected)
    assert outcomes["parquet"] == outcomes["csv"]
    loaded, rejected = outcomes["csv"]
    assert len(loaded) + len(rejected) == typed.num_rows
    assert min(len(loaded), len(rejected)) > 1


def damage_workbook(path: Path, kind: str) -> None:
    """Replace a workbook by a file of another kind."""
    if kind == "encrypted":
        path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    elif kind == "renamed":
        path.write_text("as_of,loan_id\n", encoding="utf-8")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no workbook")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("encrypted", "is an encrypted workbook or an old .xls"),
        ("renamed", r"is no \.xlsx"),
        ("cut", r"is no \.xlsx"),
        ("other zip", "is a zip archive but no workbook"),
    ],
)
def test_a_file_that_is_no_workbook_is_refused_with_its_cause(
    tmp_path: Path, kind: str, message: str
) -> None:
    """Fault 74."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", 900, 0]])
    damage_workbook(delivery / "loan_snapshot.xlsx", kind)
    with pytest.raises(UserError, match=rf"loan_snapshot\.xlsx {message}"):
        load_tiny(delivery, tmp_path / "h")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """Fault 75: 300 MB of zeros pack into 0.3 MB."""
    delivery = with_sheet(tmp_path, [HEAD])
    with (
        zipfile.ZipFile(delivery / "loan_snapshot.xlsx", "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/media/x", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1024 * 1024))
    with pytest.raises(UserError, match=r"too large unpacked \(300 MB\)"):
        load_tiny(delivery, tmp_path / "h")


def replace_in(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    """Change one member of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = change(content[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in content.items():
            archive.writestr(name, body)


def test_an_entity_bomb_is_refused(tmp_path: Path) -> None:
    """Fault 76."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", 900, 0]])
    lol = b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    replace_in(
        delivery / "loan_snapshot.xlsx",
        "xl/workbook.xml",
        lambda body: lol + body[body.find(b"<workbook") :],
    )
    with pytest.raises(
        UserError, match=r"loan_snapshot\.xlsx (holds forbidden XML|cannot be read)"
    ):
        load_tiny(delivery, tmp_path / "h")


def test_a_sheet_that_claims_a_million_rows_is_read_by_its_cells(tmp_path: Path) -> None:
    """Fault 77."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", 900, 0], [MARCH, "L2", 2000, 31]])
    claim = b'<dimension ref="A1:XFD1048576"'
    replace_in(
        delivery / "loan_snapshot.xlsx",
        "xl/worksheets/sheet1.xml",
        lambda body: body.replace(b'<dimension ref="A1:D3"', claim),
    )
    edition = load_tiny(delivery, tmp_path / "h")
    assert snapshots(edition, tmp_path / "h") == [
        (dt.date(2024, 3, 31), Decimal("900.00"), 0),
        (dt.date(2024, 3, 31), Decimal("2000.00"), 31),
    ]


def test_a_cell_in_the_last_column_refuses_the_workbook(tmp_path: Path) -> None:
    """Fault 77."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", 900, 0]])
    book = openpyxl.load_workbook(delivery / "loan_snapshot.xlsx")
    book.active["XFD3"] = 1
    book.save(delivery / "loan_snapshot.xlsx")
    with pytest.raises(UserError, match="has 16384 columns; 1000 is the most"):
        load_tiny(delivery, tmp_path / "h")


def test_a_formula_without_its_value_refuses_the_workbook(tmp_path: Path) -> None:
    """Fault 78."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", "=1+1", 0]])
    with pytest.raises(
        UserError, match=r"cell C2 of loan_snapshot\.xlsx is a formula without its value"
    ):
        load_tiny(delivery, tmp_path / "h")


@pytest.mark.parametrize("error", ["#REF!", "#N/A"])
def test_an_excel_error_refuses_its_row(tmp_path: Path, error: str) -> None:
    """Fault 79."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", error, 0], [MARCH, "L2", 2000, 31]])
    edition = load_tiny(delivery, tmp_path / "h", limits=LENIENT)
    assert refused(edition, tmp_path / "h") == [("loan_snapshot", 2, "balance", "excel_error")]


def test_a_workbook_with_a_second_sheet_is_refused(tmp_path: Path) -> None:
    """Fault 80."""
    delivery = with_sheet(tmp_path, [HEAD, [MARCH, "L1", 900, 0]], second=True)
    with pytest.raises(UserError, match="has several sheets"):
        load_tiny(delivery, tmp_path / "h")


def test_a_title_above_the_header_refuses_the_workbook(tmp_path: Path) -> None:
    """Fault 80."""
    with pytest.raises(UserError, match=r"first line of loan_snapshot\.xlsx is no header"):
        load_tiny(
            with_sheet(tmp_path, [["月末借据余额表"], HEAD, [MARCH, "L1", 900, 0]]), tmp_path / "h"
        )


@pytest.mark.parametrize(("epoch_1904", "serial"), [(False, 45382), (True, 43920)])
def test_a_serial_number_in_a_date_column_is_its_day(
    tmp_path: Path, epoch_1904: bool, serial: int
) -> None:
    """Fault 45: 45,382 days after 1899-12-30, or 43,920 after 1904-01-01, is 2024-03-31."""
    delivery = with_sheet(tmp_path, [HEAD, [serial, "L1", 900.5, 0]], epoch_1904=epoch_1904)
    edition = load_tiny(delivery, tmp_path / "h", accepted_by="Li Wei")
    assert snapshots(edition, tmp_path / "h") == [(dt.date(2024, 3, 31), Decimal("900.50"), 0)]


def test_a_long_number_that_lost_its_digits_in_excel_refuses_its_row(tmp_path: Path) -> None:
    """Fault 56."""
    edition = load_tiny(
        with_sheet(tmp_path, [HEAD, [MARCH, 110101199003071234, 900, 0]]),
        tmp_path / "h",
        limits=LENIENT,
        accepted_by="Li Wei",
    )
    assert refused(edition, tmp_path / "h") == [("loan_snapshot", 2, "loan_id", "excel_digits")]
