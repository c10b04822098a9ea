"""The delivery of the demo bank has the format of the contract, and an increment continues it."""

import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from data import demo
from data.demo.delivery import ARROW_TYPES, CONTRACT
from tests.demo.delivered_bank import DELIVERED_TABLES, SEED, DeliveredBank, read_table


def test_one_seed_writes_the_same_bytes_and_another_seed_does_not(
    small: DeliveredBank, tmp_path: Path
) -> None:
    again = demo.write(tmp_path / "again", 2_000, 14, SEED)
    other = demo.write(tmp_path / "other", 2_000, 14, SEED + 1)
    assert again == json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (
        other["tables"]["payment"]["files"][0]["sha256"]
        != again["tables"]["payment"]["files"][0]["sha256"]
    )


def test_every_table_but_the_snapshots_has_the_columns_and_types_of_the_contract(
    small: DeliveredBank,
) -> None:
    for table in DELIVERED_TABLES:
        contract = CONTRACT[table]
        schema = pq.read_schema(small.folder / f"{table}.parquet")
        expected = {
            name: ARROW_TYPES[column["type"]] for name, column in contract["column"].items()
        }
        assert dict(zip(schema.names, schema.types, strict=True)) == expected, table


def test_required_columns_are_never_empty_and_keys_are_unique(small: DeliveredBank) -> None:
    for table in DELIVERED_TABLES:
        contract = CONTRACT[table]
        frame = getattr(small, table)
        required = [name for name, column in contract["column"].items() if column.get("required")]
        assert frame[required].notna().all(axis=None), table
        assert not frame.duplicated(CONTRACT[table]["key"]).any(), table


def test_codes_are_words_of_the_contract_and_references_resolve(small: DeliveredBank) -> None:
    for table in DELIVERED_TABLES:
        contract = CONTRACT[table]
        for name, column in contract["column"].items():
            values = set(getattr(small, table)[name].dropna().unique())
            if column["type"] == "code":
                assert values <= set(column["values"]), (table, name)
            if "refers" in column:
                assert values <= set(getattr(small, column["refers"])[f"{column['refers']}_id"]), (
                    table,
                    name,
                )


def test_the_manifest_holds_rows_sums_and_sha256_of_the_files(small: DeliveredBank) -> None:
    manifest = json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["kind"], manifest["from"], manifest["as_of"]) == (
        "full",
        "2025-09-30",
        "2026-10-31",
    )
    for table, entry in manifest["tables"].items():
        path = small.folder / entry["files"][0]["name"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["files"][0]["sha256"]
        arrow = pq.read_table(path)
        assert arrow.num_rows == entry["rows"]
        money = {
            name for name, column in CONTRACT[table]["column"].items() if column["type"] == "money"
        }
        assert set(entry["totals"]) == money
        for name, total in entry["totals"].items():
            assert sum(filter(None, arrow.column(name).to_pylist()), Decimal(0)) == Decimal(
                total
            ), (table, name)


def test_csv_and_parquet_carry_the_same_rows(small: DeliveredBank, tmp_path: Path) -> None:
    csv_manifest = demo.write(tmp_path, 2_000, 14, SEED, form="csv")
    manifest = json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    for table in manifest["tables"]:
        for part in ("rows", "totals"):
            assert csv_manifest["tables"][table][part] == manifest["tables"][table][part]
    csv = pyarrow.csv.read_csv(
        tmp_path / "instalment.csv",
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={"principal": ARROW_TYPES["money"], "number": ARROW_TYPES["int"]}
        ),
    )
    parquet = pq.read_table(small.folder / "instalment.parquet")
    for name in ("loan_id", "number", "due_on", "principal"):
        assert csv.column(name).to_pylist() == parquet.column(name).to_pylist()


def test_nobody_can_have_the_identity_numbers_or_telephones(small: DeliveredBank) -> None:
    # GB/T 2260 has no area 99; mobile numbers begin with 13 to 19, so 100 is nobody's.
    numbers = small.customer.drop_duplicates("customer_id").id_number.dropna()
    assert numbers.str.fullmatch(r"99\d{15}[\dX]").all()
    assert numbers.is_unique
    assert small.customer.phone.str.fullmatch(r"100\d{8}").all()


def test_instalments_and_payments_come_in_order_of_their_day(small: DeliveredBank) -> None:
    assert small.instalment.due_on.is_monotonic_increasing
    assert small.payment.paid_at.is_monotonic_increasing


def test_an_increment_continues_the_full_delivery(tmp_path: Path) -> None:
    demo.write(tmp_path / "full", 1_000, 14, 3)
    manifest = demo.write_next(tmp_path / "next", 1_000, 14, 3)
    demo.write(
        tmp_path / "whole", 1_000, 15, 3, as_of=date(2026, 11, 30), anchor=date(2026, 10, 31)
    )
    assert (manifest["kind"], manifest["from"], manifest["as_of"]) == (
        "increment",
        "2026-11-30",
        "2026-11-30",
    )
    for table in DELIVERED_TABLES:
        full, more, whole = (
            read_table(tmp_path / name, table) for name in ("full", "next", "whole")
        )
        # Loans are delivered again when changed, branches, managers and products always; nothing
        # else twice.
        joined = pd.concat([full, more]).drop_duplicates(
            CONTRACT[table]["key"] if table in ("loan", "branch", "manager", "product") else None,
            keep="last",
        )
        assert not joined.duplicated(CONTRACT[table]["key"]).any(), table
        pd.testing.assert_frame_equal(
            joined.sort_values(CONTRACT[table]["key"], ignore_index=True),
            whole.sort_values(CONTRACT[table]["key"], ignore_index=True),
        )


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"customers": 5}, "customers"),
        ({"months": 0}, "months"),
        ({"seed": -1}, "seed"),
        ({"form": "xls"}, "form"),
        ({"as_of": date(2026, 10, 30)}, "2026-10-30"),
        ({"anchor": date(2026, 11, 30)}, "anchor"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(
    tmp_path: Path, arguments: dict[str, Any], word: str
) -> None:
    options: dict[str, Any] = {"to": tmp_path, "customers": 200, "months": 3, "seed": 1}
    with pytest.raises(ValueError, match=word):
        demo.write(**(options | arguments))
