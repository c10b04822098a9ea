"""Faulty keys and references: repeated, unknown, changed by a spreadsheet."""

import hmac
from pathlib import Path

import pytest

from data.editions.hash_key import secret_key
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


def test_a_customer_row_that_occurs_twice_is_loaded_once(tmp_path: Path) -> None:
    """Fault 51."""
    edition = load_tiny(
        write(tmp_path / "d", customer=CUSTOMER + "C2,2024-01-01\n"), tmp_path / "h"
    )
    customer = edition.facts["tables"]["customer"]
    assert (customer["read"], customer["loaded"], customer["skips"]) == (
        3,
        2,
        {"duplicate_same": 1},
    )


def test_two_rows_of_one_customer_that_differ_are_both_refused(tmp_path: Path) -> None:
    """Fault 51."""
    customer = "customer_id,valid_from,gender\nC1,2024-01-01,\nC2,2024-01-01,female\n"
    customer += "C3,2024-01-01,male\nC3,2024-01-01,female\n"
    edition = load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h", limits=LENIENT)
    assert refused(edition, tmp_path / "h") == [
        ("customer", 4, "customer_id", "conflicting_duplicate"),
        ("customer", 5, "customer_id", "conflicting_duplicate"),
    ]
    assert edition.facts["tables"]["customer"]["loaded"] == 2


def test_customers_in_conflict_stop_the_load_by_default(tmp_path: Path) -> None:
    """Fault 51."""
    customer = "customer_id,valid_from,gender\nC1,2024-01-01,\nC2,2024-01-01,\n"
    customer += "C3,2024-01-01,male\nC3,2024-01-01,female\n"
    message = (
        r"customer: 2 rows repeat a key with different content, 50\.00%, over the limit 0\.01%"
    )
    with pytest.raises(UserError, match=message):
        load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h")


def test_a_snapshot_that_occurs_twice_is_loaded_once_and_in_conflict_refused(
    tmp_path: Path,
) -> None:
    """Fault 51."""
    snapshot = SNAPSHOT + "2024-03-31,L1,900.00,0\n2024-03-31,L2,2000.00,32\n"
    edition = load_tiny(
        write(tmp_path / "d", loan_snapshot=snapshot), tmp_path / "h", limits=LENIENT
    )
    assert refused(edition, tmp_path / "h") == [
        ("loan_snapshot", 3, "as_of", "conflicting_duplicate"),
        ("loan_snapshot", 5, "as_of", "conflicting_duplicate"),
    ]
    counts = edition.facts["tables"]["loan_snapshot"]
    assert (counts["read"], counts["loaded"], counts["rejected"], counts["skips"]) == (
        4,
        1,
        2,
        {"duplicate_same": 1},
    )


def test_a_loan_number_that_occurs_twice_refuses_the_delivery(tmp_path: Path) -> None:
    """Fault 52."""
    with pytest.raises(
        UserError, match=r"1 loan numbers occur twice, for instance loan\.csv, line 4"
    ):
        load_tiny(
            write(tmp_path / "d", loan=LOAN + "L1,C1,1000.00,2024-01-10\n"),
            tmp_path / "h",
            limits=LENIENT,
        )


def test_a_loan_without_its_customer_is_rejected_and_counted(tmp_path: Path) -> None:
    """Fault 53."""
    loan = LOAN + "L3,C9,3000.00,2024-01-10\n"
    edition = load_tiny(write(tmp_path / "d", loan=loan), tmp_path / "h", limits=LENIENT)
    assert refused(edition, tmp_path / "h") == [("loan", 4, "customer_id", "orphan")]
    counts = edition.facts["tables"]["loan"]
    # The total is of all that was delivered: 1,000 + 2,000 + 3,000.
    assert (counts["orphans"], counts["loaded"], counts["totals"]["principal"]) == (1, 2, "6000.00")


def test_orphan_loans_stop_the_load_by_default(tmp_path: Path) -> None:
    """Fault 53."""
    with pytest.raises(
        UserError,
        match=r"loan: 1 rows refer to unknown customers or loans, 33\.33%, over the limit 0\.10%",
    ):
        load_tiny(write(tmp_path / "d", loan=LOAN + "L3,C9,3000.00,2024-01-10\n"), tmp_path / "h")


def test_a_repayment_without_its_loan_is_rejected_and_counted(tmp_path: Path) -> None:
    """Fault 54."""
    events = {
        "instalment": "loan_id,number,due_on,principal\nL1,1,2024-02-10,100.00\n",
        "payment": (
            "payment_id,loan_id,paid_at,amount\nP1,L1,2024-02-10,100.00\nP2,L9,2024-02-10,50.00\n"
        ),
    }
    edition = load_tiny(
        write(tmp_path / "d", loan_snapshot=None, **events), tmp_path / "h", limits=LENIENT
    )
    assert refused(edition, tmp_path / "h") == [("payment", 3, "loan_id", "orphan")]


def test_leading_zeros_are_part_of_a_key(tmp_path: Path) -> None:
    """Fault 55."""
    customer = "customer_id,valid_from\n000123,2024-01-01\n123,2024-01-01\n"
    loan = (
        "loan_id,customer_id,principal,disbursed_on\n"
        "L1,000123,1000.00,2024-01-10\nL2,123,2000.00,2024-02-10\n"
    )
    edition = load_tiny(write(tmp_path / "d", customer=customer, loan=loan), tmp_path / "h")
    result = rows(
        edition,
        tmp_path / "h",
        "select loan_id, customer_id"
        " from loan_number join customer_number using (customer_key) order by 1",
    )
    assert [tuple(row.values()) for row in result] == [("L1", "000123"), ("L2", "123")]


# Area 99 belongs to nobody. GB 11643 over 99010119900307123: weights 7 9 10 5 8 4 2 1 6 3 7 9 10 5
# 8 4 2 give 63+81+0+5+0+4+2+9+54+0+0+27+0+35+8+8+6 = 302; 302 mod 11 = 5; the check digit is the
# sixth of 10X98765432: 7.
SOUND, UNSOUND = "990101199003071237", "990101199003071236"


def people(*ids: str) -> str:
    """Return a file of customers with these identity numbers."""
    lines = [f"C{number},2024-01-01,{id}" for number, id in enumerate(ids, 1)]
    return "customer_id,valid_from,id_number\n" + "\n".join(lines) + "\n"


def test_identity_numbers_have_all_their_digits_and_a_wrong_check_digit_is_noted(
    tmp_path: Path,
) -> None:
    """Fault 56."""
    edition = load_tiny(write(tmp_path / "d", customer=people(SOUND, UNSOUND)), tmp_path / "h")
    customers = rows(
        edition,
        tmp_path / "h",
        "select id_number_masked, id_number_hash from customer order by customer_key",
    )
    key = secret_key(tmp_path / "h")
    assert [row["id_number_hash"] for row in customers] == [
        hmac.digest(key, id.encode(), "sha256") for id in (SOUND, UNSOUND)
    ]
    assert customers[0]["id_number_masked"] == "9****************7"
    assert {"code": "id_checksum", "count": 1} in edition.facts["tables"]["customer"]["notes"]


def test_a_small_x_is_a_capital_one_and_other_documents_are_masked_completely(
    tmp_path: Path,
) -> None:
    """Fault 57."""
    edition = load_tiny(
        write(
            tmp_path / "d", customer=people("99010119900307123x", "99010119900307123X", "E12345678")
        ),
        tmp_path / "h",
    )
    customers = rows(
        edition,
        tmp_path / "h",
        "select id_number_masked as masked, id_number_hash as hash"
        " from customer order by customer_key",
    )
    assert customers[0] == customers[1]
    assert customers[2]["masked"] == "*********"


def test_an_identity_number_of_fifteen_digits_is_distinct_from_the_long_one(tmp_path: Path) -> None:
    """Fault 57: the old form has no check digit, so none is checked and none is computed."""
    old = SOUND[:6] + SOUND[8:17]
    edition = load_tiny(write(tmp_path / "d", customer=people(SOUND, old)), tmp_path / "h")
    customers = rows(
        edition,
        tmp_path / "h",
        "select id_number_masked, id_number_hash from customer order by customer_key",
    )
    assert customers[1]["id_number_hash"] == hmac.digest(
        secret_key(tmp_path / "h"), old.encode(), "sha256"
    )
    assert set(customers[1]["id_number_masked"][1:-1]) == {"*"}
    assert not [
        note
        for note in edition.facts["tables"]["customer"]["notes"]
        if note["code"] == "id_checksum"
    ]


def test_one_identity_number_of_two_customers_is_noted_not_merged(tmp_path: Path) -> None:
    """Fault 58."""
    edition = load_tiny(write(tmp_path / "d", customer=people(SOUND, SOUND)), tmp_path / "h")
    assert {"code": "same_id_two_customers", "count": 1} in edition.facts["tables"]["customer"][
        "notes"
    ]
    assert edition.facts["tables"]["customer"]["loaded"] == 2


def test_a_new_product_code_is_added_under_its_own_name_and_noted(tmp_path: Path) -> None:
    """Fault 59."""
    loan = "loan_id,customer_id,principal,disbursed_on,product_id,channel\n"
    loan += "L1,C1,1.00,2024-01-10,P1,branch\nL2,C2,1.00,2024-01-10,P9,drone\n"
    product = "product_id,name,family\nP1,住房贷款,home\n"
    edition = load_tiny(write(tmp_path / "d", loan=loan, product=product), tmp_path / "h")
    assert rows(
        edition, tmp_path / "h", "select product_id, name from product order by product_key"
    ) == [
        {"product_id": "P1", "name": "住房贷款"},
        {"product_id": "P9", "name": "P9"},
    ]
    assert edition.facts["tables"]["product"]["notes"] == [
        {"code": "unknown_reference", "count": 1}
    ]
    assert edition.facts["tables"]["loan"]["notes"] == [
        {"code": "unknown_code", "count": 1, "facts": {"column": "channel"}}
    ]


def test_a_customer_number_used_again_is_noted(tmp_path: Path) -> None:
    """Fault 60."""
    load_tiny(write(tmp_path / "a", customer=people(SOUND, UNSOUND)), tmp_path / "h")
    snapshot = "as_of,loan_id,balance,days_past_due\n2024-04-30,L1,800.00,0\n"
    later = write(
        tmp_path / "b",
        customer=people(UNSOUND).replace("2024-01-01", "2024-04-05"),
        loan=LOAN,
        loan_snapshot=snapshot,
    )
    edition = load_tiny(
        manifest(later, as_of="2024-04-30", kind="increment"), tmp_path / "h", as_of=None
    )
    assert {"code": "identity_changed", "count": 1} in edition.facts["tables"]["customer"]["notes"]
