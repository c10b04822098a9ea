"""Faulty numbers and dates: one delivery has every bad row, each test looks at its own."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from analytics.marts.build import build
from data.errors import UserError
from data.loading.pipeline import load
from tests.support.deliveries import AS_OF, CUSTOMER, LENIENT, load_tiny, refused, rows, write

Outcome = dict[str, Any]
MONEY = {
    "comma": '"1,234,567,890.12"',
    "comma_wrong": '"12,34"',
    "brackets": "(100.00)",
    "yuan": "￥100",
    "unit": "100元",
    "wan": "1.2万",
    "negative": "-5.00",
    "nan": "NaN",
    "inf": "inf",
    "exponent": "1.00E+03",
    "half_fen": "0.005",
    "zeros": "30000.0000",
    "huge": "99999999999999999.00",
    "largest": "9999999999999.99",
    "larger": "10000000000000.00",
    "plus": "+7.10",
    "dot": ".5",
    "wide": "１２３．４５",
}
DATES = {
    "dash": "2024-01-05", "slash": "2024/01/05", "plain": "20240105", "chinese": "2024年1月5日",
    "ambiguous": "05/01/2024", "serial": "45292", "feb30": "2024-02-30", "zeros": "0000-00-00",
    "midnight": "2024-01-05 00:00:00", "morning": "2024-01-05 08:30:00",
    "old": "1066-10-14", "seven": "2024115", "future": "2024-04-01",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Load the delivery; return loaded rows, rejections by table and line, and the facts."""
    folder = tmp_path_factory.mktemp("values")
    loan = "loan_id,customer_id,principal,disbursed_on,matures_on,closed_on\n"
    loan += "".join(f"M_{name},C1,{text},2024-01-10,,\n" for name, text in MONEY.items())
    loan += "".join(f"D_{name},C1,1.00,{text},,\n" for name, text in DATES.items())
    loan += "D_open,C1,1.00,2024-01-10,9999-12-31,\nD_early,C1,1.00,2024-01-10,2024-01-09,\n"
    loan += "D_closed,C1,1.00,2024-01-10,,2024-01-09\n"
    instalment = (
        "loan_id,number,due_on,principal\nM_plus,1,2024-01-09,7.10\nM_plus,2,2024-03-10,7.10\n"
    )
    payment = "payment_id,loan_id,paid_at,amount,kind\n"
    payment += (
        "P1,M_plus,2024-02-01T16:30:00Z,1.00,instalment\n"
        "P2,M_plus,2024-02-10 23:59:59,-1.00,reversal\n"
    )
    payment += (
        "P3,M_plus,2024-01-09,1.00,instalment\nP4,M_plus,2024-04-01 00:00:01,1.00,instalment\n"
    )
    payment += "".join(f"Q{number},M_comma,2024-02-02,0.10,instalment\n" for number in range(1003))
    delivery = write(
        folder / "d", loan=loan, loan_snapshot=None, instalment=instalment, payment=payment
    )
    edition = load_tiny(delivery, folder / "h", limits=LENIENT)
    loaded = rows(edition, folder / "h", "select * from loan join loan_number using (loan_key)")
    bad = rows(edition, folder / "h", "select * from rejected")
    lines = {
        name: number
        for number, name in enumerate([*(f"M_{n}" for n in MONEY), *(f"D_{n}" for n in DATES)], 2)
    }
    lines |= {"D_open": len(lines) + 2, "D_early": len(lines) + 3, "D_closed": len(lines) + 4}
    return {
        "loan": {row["loan_id"]: row for row in loaded},
        "bad": {
            (row["table_name"], row["line"]): (
                row["column_name"],
                row["reason"],
                row["value_masked"],
            )
            for row in bad
        },
        "line": lines,
        "payment": {
            r["payment_id"]: r for r in rows(edition, folder / "h", "select * from payment")
        },
        "facts": edition.facts,
    }


def rejection(outcome: Outcome, loan: str) -> tuple[str, str]:
    """Return the column and reason for which a loan was rejected."""
    assert loan not in outcome["loan"]
    return outcome["bad"]["loan", outcome["line"][loan]][:2]


def test_thousands_separators_are_accepted_only_between_groups_of_three_digits(
    outcome: Outcome,
) -> None:
    """Fault 33."""
    assert outcome["loan"]["M_comma"]["principal"] == Decimal("1234567890.12")
    assert rejection(outcome, "M_comma_wrong") == ("principal", "not_a_number")


@pytest.mark.parametrize("name", ["brackets", "yuan", "unit", "wan", "dot"])
def test_a_number_in_another_notation_rejects_the_row(outcome: Outcome, name: str) -> None:
    """Fault 34."""
    assert rejection(outcome, f"M_{name}") == ("principal", "not_a_number")


def test_a_negative_principal_is_refused_and_a_reversal_is_not(outcome: Outcome) -> None:
    """Fault 35."""
    assert rejection(outcome, "M_negative") == ("principal", "below_min")
    assert outcome["payment"]["P2"]["amount"] == Decimal("-1.00")


@pytest.mark.parametrize("name", ["nan", "inf"])
def test_nan_and_infinity_are_rejected(outcome: Outcome, name: str) -> None:
    """Fault 36."""
    assert rejection(outcome, f"M_{name}") == ("principal", "not_a_number")


def test_an_exponent_written_after_rounding_is_refused(outcome: Outcome) -> None:
    """Fault 37."""
    assert rejection(outcome, "M_exponent") == ("principal", "scientific_notation")


def test_half_a_fen_is_refused_not_rounded(outcome: Outcome) -> None:
    """Fault 38."""
    assert rejection(outcome, "M_half_fen") == ("principal", "too_many_decimals")
    assert outcome["loan"]["M_zeros"]["principal"] == Decimal("30000.00")


def test_an_amount_too_large_for_the_column_is_refused(outcome: Outcome) -> None:
    """Fault 39."""
    assert rejection(outcome, "M_huge") == ("principal", "out_of_range")
    assert outcome["loan"]["M_largest"]["principal"] == Decimal("9999999999999.99")
    assert rejection(outcome, "M_larger") == ("principal", "above_max")


def test_a_change_of_unit_stops_the_load(tmp_path: Path) -> None:
    """Fault 40."""

    def loans(amount: str) -> str:
        head = "loan_id,customer_id,principal,disbursed_on\n"
        return head + "".join(f"L{number},C1,{amount},2024-01-10\n" for number in range(1, 1201))

    snapshot = "as_of,loan_id,balance,days_past_due\n2024-03-31,L1,900.00,0\n"
    load_tiny(
        write(tmp_path / "a", loan=loans("10000.00"), loan_snapshot=snapshot),
        tmp_path / "h",
        accepted_by="Li Wei",
    )
    with pytest.raises(UserError, match=r"loan: principal went from 12000000\.00 to 1200\.00"):
        load_tiny(write(tmp_path / "b", loan=loans("1.00"), loan_snapshot=snapshot), tmp_path / "h")


def test_a_thousand_and_three_tenths_sum_exactly(outcome: Outcome) -> None:
    """Fault 42: 1003 × 0.10 = 100.30; P1, P2 add 1.00 − 1.00, the refused P3 and P4 1.00 each."""
    assert outcome["facts"]["tables"]["payment"]["totals"]["amount"] == "102.30"


@pytest.mark.parametrize("name", ["dash", "slash", "plain", "chinese"])
def test_the_agreed_formats_of_a_date_mean_the_same_day(outcome: Outcome, name: str) -> None:
    """Fault 43."""
    assert outcome["loan"][f"D_{name}"]["disbursed_on"] == dt.date(2024, 1, 5)


def test_a_date_that_may_be_january_or_may_is_refused(outcome: Outcome) -> None:
    """Fault 44."""
    assert rejection(outcome, "D_ambiguous") == ("disbursed_on", "ambiguous_date")


@pytest.mark.parametrize("name", ["serial", "seven"])
def test_a_bare_number_is_no_date_in_a_text_file(outcome: Outcome, name: str) -> None:
    """Fault 45."""
    assert rejection(outcome, f"D_{name}") == ("disbursed_on", "not_a_date")


@pytest.mark.parametrize("name", ["feb30", "zeros"])
def test_a_date_that_does_not_exist_is_refused(outcome: Outcome, name: str) -> None:
    """Fault 46."""
    assert rejection(outcome, f"D_{name}") == ("disbursed_on", "not_a_date")


def test_the_year_9999_means_open_and_1066_is_refused(outcome: Outcome) -> None:
    """Fault 47."""
    assert outcome["loan"]["D_open"]["matures_on"] is None
    assert rejection(outcome, "D_old") == ("disbursed_on", "date_out_of_range")


def test_a_time_of_day_in_a_date_column_is_refused_unless_midnight(outcome: Outcome) -> None:
    """Fault 48."""
    assert rejection(outcome, "D_morning") == ("disbursed_on", "time_in_date")
    assert outcome["loan"]["D_midnight"]["disbursed_on"] == dt.date(2024, 1, 5)


def test_a_date_after_the_as_of_date_is_refused(outcome: Outcome) -> None:
    """Fault 49."""
    assert rejection(outcome, "D_future") == ("disbursed_on", "after_as_of")
    assert outcome["bad"]["payment", 5][:2] == ("paid_at", "after_as_of")


def test_a_birth_after_the_as_of_date_is_refused(tmp_path: Path) -> None:
    """Fault 49."""
    text = "customer_id,valid_from,birth_on\nC1,2024-01-01,2024-04-01\nC2,2024-01-01,1990-05-20\n"
    edition = load_tiny(write(tmp_path / "in", customer=text), tmp_path / "home", limits=LENIENT)
    assert ("customer", 2, "birth_on", "after_as_of") in refused(edition, tmp_path / "home")


def test_a_customer_born_after_a_month_end_has_no_age(tmp_path: Path) -> None:
    """Valid from January, born on 20 March: no age in February, age 0 in March."""
    text = "customer_id,valid_from,birth_on\nC1,2024-01-01,2024-03-20\nC2,2024-01-01,1990-05-20\n"
    snapshot = "as_of,loan_id,balance,days_past_due\n"
    snapshot += "2024-02-29,L1,950.00,0\n2024-02-29,L2,2.00,0\n"
    snapshot += "2024-03-31,L1,900.00,0\n2024-03-31,L2,1.00,0\n"
    folder = write(tmp_path / "in", customer=text, loan_snapshot=snapshot)
    edition = load(folder, "contract", tmp_path / "home", build_marts=build, as_of=AS_OF)
    result = rows(
        edition,
        tmp_path / "home",
        "select as_of, age from customer_month where customer_key = 1 order by 1",
    )
    assert [row["age"] for row in result] == [None, 0]


def test_a_term_of_999_999_months_means_an_open_end(tmp_path: Path) -> None:
    text = (
        "loan_id,customer_id,principal,disbursed_on,term_months\nL1,C1,1000.00,2024-01-10,999999\n"
    )
    folder = write(
        tmp_path / "in",
        loan=text,
        loan_snapshot="as_of,loan_id,balance,days_past_due\n2024-03-31,L1,9.00,0\n",
    )
    edition = load(folder, "contract", tmp_path / "home", build_marts=build, as_of=AS_OF)
    assert rows(edition, tmp_path / "home", "select term_months from loan_month") == [
        {"term_months": 999_999}
    ]


def test_a_date_before_the_disbursement_is_refused(outcome: Outcome) -> None:
    """Fault 49."""
    assert rejection(outcome, "D_early") == ("matures_on", "before_disbursement")
    assert rejection(outcome, "D_closed") == ("closed_on", "before_disbursement")
    assert outcome["bad"]["instalment", 2][:2] == ("due_on", "before_disbursement")
    assert outcome["bad"]["payment", 4][:2] == ("paid_at", "before_disbursement")


def test_a_time_with_a_zone_falls_on_the_day_in_china(outcome: Outcome) -> None:
    """Fault 50: 16:30 UTC is half past midnight of the next day in Shanghai."""
    assert outcome["payment"]["P1"]["paid_on"] == dt.date(2024, 2, 2)
    assert outcome["payment"]["P2"]["paid_on"] == dt.date(2024, 2, 10)


def test_rejected_values_are_stored_as_delivered(outcome: Outcome) -> None:
    assert outcome["bad"]["loan", outcome["line"]["M_wan"]][2] == "1.2万"
    assert outcome["loan"]["M_wide"]["principal"] == Decimal("123.45")


def test_every_row_is_loaded_rejected_or_skipped(outcome: Outcome) -> None:
    for counts in outcome["facts"]["tables"].values():
        assert counts["read"] == counts["loaded"] + counts["rejected"] + counts["skipped"]
    assert CUSTOMER.count("\n") - 1 == outcome["facts"]["tables"]["customer"]["loaded"]
