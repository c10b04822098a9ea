"""What a load that publishes nothing leaves: its rejected rows; the same files loaded again."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.__main__ import main
from data.contract.schema import read_contract
from data.errors import UserError
from data.ingest import source as sources
from data.ingest.source import read_source
from data.loading.plan import SameDelivery
from tests.support.deliveries import load_tiny, manifest, rows, write

SOURCE = """
zh = "行"
en = "bank"
[delivery]
as_of = 2024-03-31
[file.book]
name = "book.csv"
[file.book.column]
loan_number = { type = "key", required = true, name = "Loan Number" }
borrower = { type = "key", required = true, name = "Borrower's No. [new]" }
amount = { type = "money", required = true, name = "放款金额（元）" }
"""
MAPPINGS = {
    "customer": "select distinct borrower as customer_id, date '2024-01-01' as valid_from, "
    "file, line from raw_book",
    "loan": "select loan_number as loan_id, borrower as customer_id, amount * 1 as principal, "
    "date '2024-01-10' as disbursed_on, file, line from raw_book",
    "loan_snapshot": "select date '2024-03-31' as as_of, loan_number as loan_id, "
    "amount as balance, 0 as days_past_due, file, line from raw_book",
}
BAD_LOANS = "loan_id,customer_id,principal,disbursed_on\n" + "".join(
    f"L{number},C1,{number}万,2024-01-10\n" for number in range(1, 8)
)
BAD_PHONES = "customer_id,valid_from,phone\nC1,2024-01-01,\nC2,2024-01-01,1.38E+10\n"


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a source `bank` and a delivery of it; return the folder of the delivery."""
    folder = tmp_path / "sources" / "bank"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(SOURCE, encoding="utf-8")
    for table, sql in MAPPINGS.items():
        (folder / f"{table}.sql").write_text(sql, encoding="utf-8")
    monkeypatch.setattr(sources, "SOURCES", tmp_path / "sources")
    delivery = tmp_path / "d"
    delivery.mkdir()
    (delivery / "book.csv").write_text(
        "Loan  Number ,Borrower's No. [new],放款金额(元)\nL1,C1,1000.00\nL2,C2,2000.00\n",
        encoding="utf-8",
    )
    return delivery


def principals(home: Path, load: Callable) -> list[float]:
    """Load and return the principals."""
    principals = rows(load(), home, "select principal::double as p from loan order by 1")
    return [row["p"] for row in principals]


def test_the_first_rejected_rows_of_a_refused_load_stand_in_the_error_and_all_in_a_file(
    tmp_path: Path,
) -> None:
    delivery = write(tmp_path / "d", loan=BAD_LOANS)
    with pytest.raises(UserError) as caught:
        load_tiny(delivery, tmp_path / "h")
    rejected = caught.value.rejected
    assert rejected is not None
    assert caught.value.code == "reject_share"
    assert rejected.examples[0] == {
        "table": "loan",
        "file": "loan.csv",
        "line": 2,
        "column": "principal",
        "value": "1万",
        "reason": "not_a_number",
    }
    assert len(rejected.examples) == 5
    assert rejected.path.parent == tmp_path / "h" / "rejected"
    assert rejected.path.stat().st_mode & 0o777 == 0o600
    with rejected.path.open(encoding="utf-8", newline="") as stream:
        stored = list(csv.DictReader(stream))
    assert [row["line"] for row in stored if row["table"] == "loan"] == list("2345678")


@pytest.mark.parametrize("command", ["load", "check"])
def test_a_refusal_names_place_and_masked_value_in_text_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture, command: str
) -> None:
    delivery = write(tmp_path / "d", customer=BAD_PHONES)
    code = main(
        [
            command,
            str(delivery),
            *("--as-of", "2024-03-31"),
            *("--report", "json"),
            *("--home", str(tmp_path / "h")),
        ]
    )
    out, err = capsys.readouterr()
    assert code == 1
    assert "customer.csv:3  phone '********'  scientific_notation" in err
    body = json.loads(out)
    assert body["error"] == "reject_share"
    assert body["rejected"]["count"] >= 1
    assert body["rejected"]["path"] in err


def test_a_check_that_passes_keeps_the_rejected_rows_too(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    delivery = write(tmp_path / "d", customer=BAD_PHONES + "C2,2024-01-02,\n")
    arguments = [str(delivery), "--as-of", "2024-03-31", "--limit", "rejects=1"]
    code = main(["check", *arguments, "--report", "json", "--home", str(tmp_path / "h")])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["rejected"]["count"] == 1


def test_headers_of_any_spelling_are_mapped_by_their_option_name(
    tmp_path: Path, bank: Path
) -> None:
    home = tmp_path / "h"
    assert principals(home, lambda: load_tiny(bank, home, source="bank")) == [1000.0, 2000.0]


def test_a_missing_header_is_named_as_the_file_would_have_it(tmp_path: Path, bank: Path) -> None:
    (bank / "book.csv").write_text("Loan Number,放款金额（元）\nL1,1.00\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"column Borrower's No\. \[new\]; its header has Loan N"):
        load_tiny(bank, tmp_path / "h", source="bank")


def test_the_same_files_with_another_mapping_are_loaded_again(tmp_path: Path, bank: Path) -> None:
    home = tmp_path / "h"
    load_tiny(bank, home, source="bank")
    with pytest.raises(SameDelivery):
        load_tiny(bank, home, source="bank")
    mapping = tmp_path / "sources" / "bank" / "loan.sql"
    mapping.write_text(MAPPINGS["loan"].replace("* 1 ", "* 2 "), encoding="utf-8")
    assert principals(home, lambda: load_tiny(bank, home, source="bank")) == [2000.0, 4000.0]
    with pytest.raises(SameDelivery):
        load_tiny(bank, home, source="bank")
    load_tiny(bank, home, source="bank", limits={"rejects": 0.5})


def test_the_files_of_an_increment_with_other_options_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "h"
    load_tiny(write(tmp_path / "d"), home)
    april = "as_of,loan_id,balance,days_past_due\n2024-04-30,L1,800.00,0\n"
    delivery = write(
        tmp_path / "i",
        customer="customer_id,valid_from\nC3,2024-04-01\n",
        loan="loan_id,customer_id,principal,disbursed_on\nL3,C3,100.00,2024-04-02\n",
        loan_snapshot=april + "2024-04-30,L2,2000.00,60\n2024-04-30,L3,100.00,0\n",
    )
    manifest(delivery, "2024-04-30", kind="increment")
    load_tiny(delivery, home, as_of=None)
    with pytest.raises(SameDelivery):
        load_tiny(delivery, home, as_of=None)
    with pytest.raises(UserError, match="with another mapping or other options") as caught:
        load_tiny(delivery, home, as_of=None, limits={"rejects": 0.5})
    assert caught.value.code == "mapping_changed"


def test_an_unknown_option_lists_the_known_ones(tmp_path: Path, bank: Path) -> None:
    shutil.copytree(tmp_path / "sources" / "bank", tmp_path / "sources" / "wrong")
    path = tmp_path / "sources" / "wrong" / "source.toml"
    path.write_text(SOURCE.replace('name = "Loan', 'header = "Loan'), encoding="utf-8")
    with pytest.raises(UserError, match=r"loan_number\.header.*known here are .*formats.* name"):
        read_source("wrong", read_contract(), tmp_path / "sources")
    assert bank.is_dir()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tables": {"loan": {}}}, "the key tables.loan.files is missing"),
        ({"tables": {"loan": {"files": [{"name": "loan.csv"}]}}}, r"files\[0\]\.sha256 is missing"),
        ({"as_of": 20240331}, "as_of is wrong: Expected `str \\| null`, got `int`"),
        ([], "is wrong: Expected `object`, got `array`"),
    ],
)
def test_a_mistake_in_the_manifest_is_told_in_words(
    tmp_path: Path, body: object, message: str
) -> None:
    delivery = write(tmp_path / "d")
    (delivery / "manifest.json").write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_tiny(delivery, tmp_path / "h")


def test_a_manifest_of_the_as_of_date_alone_is_enough(tmp_path: Path) -> None:
    delivery = write(tmp_path / "d")
    (delivery / "manifest.json").write_text('{"as_of": "2024-03-31"}', encoding="utf-8")
    assert str(load_tiny(delivery, tmp_path / "h", as_of=None).as_of) == "2024-03-31"
