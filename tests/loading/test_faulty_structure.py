"""Faulty structure of CSV files: rows, quotes, headers, ends."""

from pathlib import Path

import pytest

from data.errors import UserError
from tests.support.deliveries import (
    CUSTOMER,
    LENIENT,
    LOAN,
    SNAPSHOT,
    load_tiny,
    manifest,
    refused,
    rows,
    write,
)


def refuse(tmp_path: Path, match: str, **tables: str | bytes | None) -> None:
    """Require that the delivery is refused and nothing is published."""
    with pytest.raises(UserError, match=match):
        load_tiny(write(tmp_path / "d", **tables), tmp_path / "h")
    assert not (tmp_path / "h" / "CURRENT").exists()


def test_a_row_with_too_few_columns_is_refused_alone(tmp_path: Path) -> None:
    """Fault 14."""
    edition = load_tiny(
        write(tmp_path / "d", customer=CUSTOMER + "C3\nC4,2024-01-01\n"),
        tmp_path / "h",
        limits=LENIENT,
    )
    assert refused(edition, tmp_path / "h") == [("customer", 4, None, "too_few_columns")]
    assert edition.facts["tables"]["customer"]["loaded"] == 3


def test_a_row_with_too_many_columns_is_refused_alone(tmp_path: Path) -> None:
    """Fault 15."""
    edition = load_tiny(
        write(tmp_path / "d", customer=CUSTOMER + "C3,2024-01-01,x\n"),
        tmp_path / "h",
        limits=LENIENT,
    )
    assert refused(edition, tmp_path / "h") == [("customer", 4, None, "too_many_columns")]


def test_a_line_break_and_a_comma_in_quotes_belong_to_the_value(tmp_path: Path) -> None:
    """Fault 16."""
    branch = 'branch_id,name\nB1,"甲,\n乙"\nB2,丙\nB3\n'
    edition = load_tiny(write(tmp_path / "d", branch=branch), tmp_path / "h", limits=LENIENT)
    assert rows(edition, tmp_path / "h", "select name from branch where branch_id = 'B1'") == [
        {"name": "甲, 乙"}
    ]
    # B1 takes lines 2 and 3, so B2 is in line 4 and the short row in line 5.
    assert refused(edition, tmp_path / "h") == [("branch", 5, None, "too_few_columns")]


@pytest.mark.parametrize(
    "branch", ['branch_id,name\nB1,"甲\nB2,乙\n', 'branch_id,name\nB1,"甲\nB2,"乙"\n']
)
def test_an_unclosed_quote_refuses_the_file_from_its_line(tmp_path: Path, branch: str) -> None:
    """Fault 17."""
    refuse(tmp_path, r"branch\.csv, from line 2 on, has an unclosed or stray quote", branch=branch)


def test_lines_may_end_in_carriage_returns_alone(tmp_path: Path) -> None:
    """Fault 18."""
    edition = load_tiny(
        write(tmp_path / "d", customer=CUSTOMER.replace("\n", "\r")), tmp_path / "h"
    )
    assert edition.facts["tables"]["customer"]["loaded"] == 2


def test_line_ends_may_be_mixed(tmp_path: Path) -> None:
    """Fault 19."""
    edition = load_tiny(
        write(tmp_path / "d", customer=CUSTOMER.replace("\n", "\r\n", 2)), tmp_path / "h"
    )
    assert edition.facts["tables"]["customer"]["loaded"] == 2


@pytest.mark.parametrize(("mark", "word"), [(";", "';'"), ("\t", "tab")])
def test_another_separator_is_refused_with_a_hint(tmp_path: Path, mark: str, word: str) -> None:
    """Fault 20."""
    refuse(
        tmp_path,
        rf"customer\.csv seems to be separated by {word}; ',' is declared",
        customer=CUSTOMER.replace(",", mark),
    )


def test_a_missing_header_refuses_the_file(tmp_path: Path) -> None:
    """Fault 21."""
    refuse(
        tmp_path, r"first line of customer\.csv is no header", customer=CUSTOMER.split("\n", 1)[1]
    )


def test_columns_are_read_by_name_in_any_order(tmp_path: Path) -> None:
    """Fault 22."""
    customer = "valid_from,customer_id\n2024-01-01,C1\n2024-01-01,C2\n"
    edition = load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h")
    assert rows(edition, tmp_path / "h", "select customer_id from customer_number order by 1") == [
        {"customer_id": "C1"},
        {"customer_id": "C2"},
    ]


def test_a_column_name_that_occurs_twice_refuses_the_file(tmp_path: Path) -> None:
    """Fault 23."""
    refuse(
        tmp_path,
        r"customer\.csv has the column valid_from twice",
        customer="customer_id,valid_from,valid_from\nC1,2024-01-01,\n",
    )


def test_a_column_outside_the_contract_is_left_out_and_noted(tmp_path: Path) -> None:
    """Fault 24."""
    customer = "customer_id,valid_from,zodiac\nC1,2024-01-01,ox\nC2,2024-01-01,pig\n"
    edition = load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h")
    assert edition.facts["tables"]["customer"]["notes"] == [
        {"code": "extra_columns", "count": 1, "facts": ["zodiac"]}
    ]


def test_a_missing_required_column_refuses_the_file(tmp_path: Path) -> None:
    """Fault 24."""
    refuse(
        tmp_path,
        r"customer\.csv lacks the required column valid_from",
        customer="customer_id\nC1\nC2\n",
    )


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Fault 25."""
    refuse(tmp_path, r"loan\.csv is empty", loan="")


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    """Fault 26."""
    refuse(tmp_path, r"branch\.csv holds a header only", branch="branch_id,name\n")


def test_a_header_alone_is_accepted_when_the_manifest_says_no_rows(tmp_path: Path) -> None:
    """Fault 26."""
    delivery = manifest(write(tmp_path / "d", branch="branch_id,name\n"), rows={"branch": 0})
    assert load_tiny(delivery, tmp_path / "h").facts["tables"]["branch"]["loaded"] == 0


def test_a_trailer_line_is_a_control_total_not_a_loan(tmp_path: Path) -> None:
    """Fault 27."""
    edition = load_tiny(write(tmp_path / "d", loan=LOAN + "合计,,3000.00,\n"), tmp_path / "h")
    loan = edition.facts["tables"]["loan"]
    assert (loan["read"], loan["loaded"], loan["skips"]) == (3, 2, {"trailer_lines": 1})


def test_a_trailer_line_that_differs_by_one_fen_stops_the_load(tmp_path: Path) -> None:
    """Fault 27."""
    refuse(
        tmp_path,
        r"loan\.principal sums to 3000\.00, the control total says 3000\.01",
        loan=LOAN + "合计,,3000.01,\n",
    )


def test_blank_lines_are_counted_and_left_out(tmp_path: Path) -> None:
    """Fault 28."""
    edition = load_tiny(
        write(tmp_path / "d", customer=CUSTOMER.replace("C2", "\n\nC2") + "\n"), tmp_path / "h"
    )
    customer = edition.facts["tables"]["customer"]
    assert (customer["read"], customer["loaded"], customer["skips"]) == (5, 2, {"blank_lines": 3})


def test_a_file_cut_within_a_row_is_refused(tmp_path: Path) -> None:
    """Fault 29."""
    refuse(tmp_path, r"loan_snapshot\.csv ends within line 3", loan_snapshot=SNAPSHOT[:-9])


def test_a_file_cut_within_its_last_value_is_detected_by_the_total(tmp_path: Path) -> None:
    """Fault 29: 900 + 2,000 were handed over; cut within its last value the file says 900 + 20, a
    row like others.
    """
    snapshot = (
        "as_of,loan_id,days_past_due,balance\n2024-03-31,L1,0,900.00\n2024-03-31,L2,31,2000.00\n"
    )
    delivery = write(tmp_path / "d", loan_snapshot=snapshot.removesuffix("00.00\n"))
    manifest(delivery, totals={"loan_snapshot": {"balance": "2900.00"}})
    with pytest.raises(
        UserError, match=r"loan_snapshot\.balance sums to 920\.00, the control total says 2900\.00"
    ):
        load_tiny(delivery, tmp_path / "h")


def test_a_file_cut_after_its_manifest_was_written_is_detected_by_its_sha256(
    tmp_path: Path,
) -> None:
    """Fault 29."""
    delivery = manifest(write(tmp_path / "d"))
    (delivery / "loan_snapshot.csv").write_text(SNAPSHOT[:-3], encoding="utf-8")
    with pytest.raises(UserError, match=r"sha256 of loan_snapshot\.csv differs"):
        load_tiny(delivery, tmp_path / "h")


def test_a_line_of_more_than_two_megabytes_refuses_the_file(tmp_path: Path) -> None:
    """Fault 30."""
    refuse(
        tmp_path,
        r"branch\.csv has a line of more than 2 MB near line 2",
        branch="branch_id,name\nB1," + "甲" * 800_000 + "\n",
    )


def test_five_thousand_columns_refuse_the_file(tmp_path: Path) -> None:
    """Fault 31."""
    header = ",".join(f"c{number}" for number in range(5000))
    refuse(tmp_path, r"customer\.csv has 5000 columns; 1000 is the most", customer=f"{header}\n")


def test_a_value_of_another_type_late_in_the_file_is_refused_with_its_line(tmp_path: Path) -> None:
    """Fault 32."""
    many = "".join(f"C{number},2024-01-01\n" for number in range(3, 30_002)) + "C30002,soon\n"
    edition = load_tiny(write(tmp_path / "d", customer=CUSTOMER + many), tmp_path / "h")
    assert refused(edition, tmp_path / "h") == [("customer", 30_003, "valid_from", "not_a_date")]
    assert edition.facts["tables"]["customer"]["loaded"] == 30_001
