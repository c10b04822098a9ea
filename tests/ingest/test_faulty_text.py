"""Encodings and characters of delivered files: what loads, what is refused, and that nothing loads
wrong.
"""

import unicodedata
from pathlib import Path

import pytest

from data.editions.manifest import Edition
from data.errors import UserError
from tests.support.deliveries import CUSTOMER, LENIENT, LOAN, load_tiny, refused, rows, write

BRANCH = "branch_id,name\nB1,总行营业部\nB2,澜江分行\n"


def branches(edition: Edition, home: Path) -> list[str]:
    """Return the names of the branches."""
    return [
        row["name"] for row in rows(edition, home, "select name from branch order by branch_key")
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    """Fault 1."""
    edition = load_tiny(
        write(tmp_path / "d", customer=b"\xef\xbb\xbf" + CUSTOMER.encode()), tmp_path / "h"
    )
    assert edition.facts["tables"]["customer"]["loaded"] == 2


@pytest.mark.parametrize("encoding", ["gb18030", "gbk"])
def test_a_file_in_gb18030_loads_with_its_names_right(tmp_path: Path, encoding: str) -> None:
    """Fault 2."""
    edition = load_tiny(write(tmp_path / "d", branch=BRANCH.encode(encoding)), tmp_path / "h")
    assert branches(edition, tmp_path / "h") == ["总行营业部", "澜江分行"]
    assert edition.facts["tables"]["branch"]["notes"][0]["facts"]["encoding"] == "gb18030"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_utf_16_file_with_its_mark_loads(tmp_path: Path, encoding: str) -> None:
    """Fault 3."""
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    edition = load_tiny(
        write(tmp_path / "d", branch=mark + BRANCH.encode(encoding)), tmp_path / "h"
    )
    assert branches(edition, tmp_path / "h") == ["总行营业部", "澜江分行"]


def test_a_utf_16_file_without_its_mark_is_refused_for_its_encoding(tmp_path: Path) -> None:
    """Fault 4."""
    with pytest.raises(UserError, match=r"loan\.csv.*UTF-16.*encoding"):
        load_tiny(write(tmp_path / "d", loan=LOAN.encode("utf-16-le")), tmp_path / "h")


def test_one_bad_byte_refuses_the_file_with_its_place(tmp_path: Path) -> None:
    """Fault 5."""
    text = BRANCH.encode()
    place = text.index("澜".encode()) + 1
    bad = text[:place] + b"\xff" + text[place:]
    # The decoder stops at the character that the byte breaks: one byte before it.
    with pytest.raises(UserError, match=rf"branch\.csv.*from byte {place - 1} "):
        load_tiny(write(tmp_path / "d", branch=bad), tmp_path / "h")


def test_utf_8_declared_as_gbk_is_still_read_as_utf_8(tmp_path: Path) -> None:
    """Fault 6."""
    edition = load_tiny(write(tmp_path / "d", branch=BRANCH), tmp_path / "h", encoding="gbk")
    assert branches(edition, tmp_path / "h") == ["总行营业部", "澜江分行"]
    assert "declared_encoding_wrong" in [
        note["code"] for note in edition.facts["tables"]["branch"]["notes"]
    ]


# 联通 in GB18030 is C1 AA CD A8; with these four bytes the text is no UTF-8. 牛 is C5 A3 and 耐 C4
# CD: C5 A3 alone is ţ in UTF-8.
BOTH = b"manager_id,name\nM1," + "牛".encode("gb18030") + b"\n"


def test_a_file_valid_in_two_encodings_follows_the_declared_one_if_another_file_needs_it(
    tmp_path: Path,
) -> None:
    """Fault 7."""
    delivery = write(tmp_path / "d", branch=BRANCH.encode("gb18030"), manager=BOTH)
    edition = load_tiny(delivery, tmp_path / "h", encoding="gb18030")
    assert rows(edition, tmp_path / "h", "select name_masked from manager") == [
        {"name_masked": "牛**"}
    ]


def test_a_file_valid_in_two_encodings_beside_gb18030_is_refused(tmp_path: Path) -> None:
    """Fault 7."""
    with pytest.raises(UserError, match=r"manager\.csv.*branch\.csv.*--encoding"):
        load_tiny(
            write(tmp_path / "d", branch=BRANCH.encode("gb18030"), manager=BOTH), tmp_path / "h"
        )


def test_a_nul_within_a_field_refuses_the_row(tmp_path: Path) -> None:
    """Fault 8."""
    edition = load_tiny(
        write(tmp_path / "d", branch=BRANCH + "B3,a\0b\n"), tmp_path / "h", limits=LENIENT
    )
    assert refused(edition, tmp_path / "h") == [("branch", 4, None, "nul_byte")]


def test_invisible_characters_are_not_shown_and_names_keep_their_letters(tmp_path: Path) -> None:
    """Fault 9."""
    edition = load_tiny(
        write(tmp_path / "d", branch="branch_id,name\nB1,总\u200b行\u202e营\x01业😀部\n"),
        tmp_path / "h",
    )
    assert branches(edition, tmp_path / "h") == ["总行营业😀部"]


def test_full_width_digits_and_letters_are_the_half_width_ones(tmp_path: Path) -> None:
    """Fault 10."""
    loan = LOAN.replace("L1,C1,1000.00", "Ｌ１,Ｃ１,１０００．００")
    edition = load_tiny(write(tmp_path / "d", loan=loan), tmp_path / "h")
    numbers = rows(
        edition,
        tmp_path / "h",
        "select loan_id, principal from loan join loan_number using (loan_key) order by 1",
    )
    assert [(row["loan_id"], str(row["principal"])) for row in numbers] == [
        ("L1", "1000.00"),
        ("L2", "2000.00"),
    ]
    assert {"code": "cleaned_keys", "count": 1} in edition.facts["tables"]["loan"]["notes"]


def test_half_width_agrees_with_unicode_on_every_full_width_form() -> None:
    """Fault 10."""
    from data.loading.pipeline import CASTING_SQL

    forms = "".join(chr(point) for point in range(0xFF01, 0xFF5F))
    text = CASTING_SQL.read_text(encoding="utf-8")
    assert forms in text
    assert unicodedata.normalize("NFKC", forms).replace("'", "''") in text


def test_spaces_around_a_key_are_no_part_of_it(tmp_path: Path) -> None:
    """Fault 11."""
    loan = LOAN.replace("L1,C1,", " L1 ,\u3000C1\u00a0,")
    edition = load_tiny(write(tmp_path / "d", loan=loan), tmp_path / "h")
    assert edition.facts["tables"]["loan"]["loaded"] == 2
    assert {"code": "cleaned_keys", "count": 1} in edition.facts["tables"]["loan"]["notes"]


@pytest.mark.parametrize("word", ["", "NULL", "N/A", "-", "无", "#N/A"])
def test_the_agreed_words_for_no_value_are_null(tmp_path: Path, word: str) -> None:
    """Fault 12."""
    customer = "customer_id,valid_from,monthly_income,education\n"
    customer += f"C1,2024-01-01,{word},{word}\nC2,2024-01-01,5000,bachelor\n"
    edition = load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h")
    assert rows(
        edition,
        tmp_path / "h",
        "select monthly_income, education from customer order by customer_key",
    )[0] == {
        "monthly_income": None,
        "education": None,
    }


def test_another_word_for_no_value_rejects_the_row(tmp_path: Path) -> None:
    """Fault 12."""
    customer = CUSTOMER.replace("C2,2024-01-01", "C2,unknown")
    edition = load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h", limits=LENIENT)
    assert ("customer", 3, "valid_from", "not_a_date") in refused(edition, tmp_path / "h")


def test_an_unknown_code_is_other_and_counted(tmp_path: Path) -> None:
    """Fault 13."""
    customer = "customer_id,valid_from,education\nC1,2024-01-01,大專\nC2,2024-01-01,college\n"
    edition = load_tiny(write(tmp_path / "d", customer=customer), tmp_path / "h")
    assert [
        row["education"]
        for row in rows(
            edition, tmp_path / "h", "select education from customer order by customer_key"
        )
    ] == [
        "other",
        "college",
    ]
    assert {"code": "unknown_code", "count": 1, "facts": {"column": "education"}} in edition.facts[
        "tables"
    ]["customer"]["notes"]
