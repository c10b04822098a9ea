"""Known errors in a bank's numbers, each with a case in tests/small_bank.

Also openings, comparisons and series of months.
"""

from datetime import date

import pandas as pd
import pytest

from analytics.i18n import text
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse

TODAY, SEP, AUG, JUL, JUN = (
    date(2026, month, day) for month, day in ((10, 31), (9, 30), (8, 31), (7, 31), (6, 30))
)


def _cells(bank: Warehouse, question: Question) -> dict:
    """Code of the only split → (numerator, denominator, n)."""
    frame = ask(bank, question)
    return {
        row[question.by[0]]: (row["numerator"], row["denominator"], row["n"])
        for row in frame.to_dict("records")
    }


# ---------- traps


def test_the_rate_of_the_whole_is_not_the_mean_of_the_rates_of_the_parts(
    small_bank: Warehouse,
) -> None:
    parts = ask(small_bank, Question("overdue_rate", TODAY, by=("family",)))
    whole = ask(small_bank, Question("overdue_rate", TODAY)).value[0]
    # home 0 of 45,000; car 0 of 12,000; business 34,000 of 34,000; consumer 8,550 of 24,550
    assert parts.value.mean() == pytest.approx((0 + 0 + 1 + 8_550 / 24_550) / 4)
    assert whole == pytest.approx(42_550 / 115_550)
    assert whole != pytest.approx(parts.value.mean(), abs=0.01)
    assert parts.numerator.sum() / parts.denominator.sum() == pytest.approx(whole)


def test_nothing_divided_by_nothing_is_no_number_and_is_printed_as_none(
    small_bank: Warehouse,
) -> None:
    """Fault 41: in DuckDB 0 ÷ 0 is NaN and 1 ÷ 0 infinite.

    No loan came through a partner; home and car loans are not overdue.
    """
    partner = ask(
        small_bank, Question("overdue_rate", TODAY, where=(("channel", ("partner",)),))
    ).iloc[0]
    assert (partner["numerator"], partner["denominator"], partner["n"]) == (0, 0, 0)
    assert pd.isna(partner["value"])
    assert text.number(partner["value"], "rate", "zh-CN") == text.NOTHING
    # a provision of 1 % on 57,000 of home and car loans, and no NPL balance to divide it by
    coverage = ask(
        small_bank, Question("coverage", TODAY, where=(("family", ("home", "car")),))
    ).iloc[0]
    assert (coverage["numerator"], coverage["denominator"]) == (570, 0)
    assert pd.isna(coverage["value"])


def test_a_join_to_the_borrower_does_not_multiply_the_balance_of_two_loans(
    small_bank: Warehouse,
) -> None:
    cells = _cells(small_bank, Question("balance", TODAY, by=("account_type",)))
    # Savings: C1 49,550 once, in spite of two loans and two versions; C2 12,000; C6 8,000; C7
    # 6,000; C9 2,000
    assert cells["Savings"][0] == 77_550
    # Current: C3 4,000, C4 34,000
    assert cells["Current"][0] == 38_000


def test_a_customer_in_two_products_is_one_customer(small_bank: Warehouse) -> None:
    products = ask(small_bank, Question("borrowers", TODAY, by=("product",)))
    # home1 C1; cons1 C1, C3, C6, C7, C9; car1 C2; biz1 C4: eight places of seven people
    assert products.n.sum() == 8
    assert ask(small_bank, Question("borrowers", TODAY)).value[0] == 7
    assert ask(small_bank, Question("customers", TODAY)).value[0] == 7


def test_a_customer_with_a_loan_in_two_branches_is_counted_once_in_its_home_branch(
    small_bank: Warehouse,
) -> None:
    # customers by home branch: N1 C1, C4, C7 and N C6, C9 make North 5; S C2, C3 make South 2
    assert _cells(small_bank, Question("customers", TODAY, by=("branch_1",))) == {
        "N": (5, pytest.approx(float("nan"), nan_ok=True), 5),
        "S": (2, pytest.approx(float("nan"), nan_ok=True), 2),
    }


def test_a_customer_without_a_loan_is_counted_once_and_only_where_all_customers_are(
    small_bank: Warehouse,
) -> None:
    cells = _cells(small_bank, Question("deposit_penetration", TODAY, by=("borrower",)))
    # no loan: C5 (written off), C8 (settled), C10; only C10 has deposits. With a loan: C1 and C9 of
    # seven
    assert cells == {"yes": (2, 7, 7), "no": (1, 3, 3)}


def test_a_zero_denominator_gives_no_value(small_bank: Warehouse) -> None:
    # nobody settled from 2025-07-01 to 2025-09-30, whose 365 days would run out by 2026-09-30
    answer = ask(small_bank, Question("reloan_rate_365", SEP)).iloc[0]
    assert (answer.numerator, answer.denominator, answer.n) == (0, 0, 0)
    assert pd.isna(answer.value)


def test_coverage_without_a_bad_loan_is_no_value_and_not_infinite(small_bank: Warehouse) -> None:
    answer = ask(small_bank, Question("coverage", TODAY, where=(("family", ("home",)),))).iloc[0]
    # 1 % of 45,000 over nothing
    assert (answer.numerator, answer.denominator) == (450, 0)
    assert pd.isna(answer.value)


def test_a_cell_that_is_gone_has_no_later_value(small_bank: Warehouse) -> None:
    frame = ask(small_bank, Question("loans", JUL, by=("product",), compare="mom")).set_index(
        "product"
    )
    # L13, the only education loan, settled on 2026-07-10
    assert frame.loc["edu1", ["n", "n_before"]].tolist() == [0, 1]
    assert pd.isna(frame.loc["edu1", "value"])


def test_a_cell_that_is_new_has_no_earlier_value(small_bank: Warehouse) -> None:
    frame = ask(
        small_bank, Question("loans", date(2026, 4, 30), by=("product",), compare="mom")
    ).set_index("product")
    assert frame.loc["edu1", ["n", "n_before"]].tolist() == [1, 0]
    assert pd.isna(frame.loc["edu1", "change"])


def test_overdue_balance_is_the_whole_loan_and_not_its_late_instalments(
    small_bank: Warehouse,
) -> None:
    balance = ask(small_bank, Question("overdue_rate", TODAY)).numerator[0]
    arrears = ask(small_bank, Question("overdue_amount", TODAY)).numerator[0]
    assert (balance, arrears) == (42_550, 15_895)


def test_history_is_graded_by_the_data_of_its_day(small_bank: Warehouse) -> None:
    # C1's grade: AA until 2026-03-14, BBB from 2026-03-15
    february, march = date(2026, 2, 28), date(2026, 3, 31)
    grades = {
        m: _cells(small_bank, Question("customers", m, by=("credit_grade",)))
        for m in (february, march)
    }
    # C7 is the other BBB with a loan in both; C3's loan is settled in March
    assert (grades[february]["AA"][0], grades[february]["BBB"][0]) == (1, 2)
    assert "AA" not in grades[march]
    assert grades[march]["BBB"][0] == 2


# ---------- the class at the opening


def test_todays_class_is_a_switch(small_bank: Warehouse) -> None:
    cells = _cells(small_bank, Question("overdue_rate", TODAY, by=("class",), opening=0))
    # A: C6 8,000. B: C1 49,550, C2 12,000, C3 4,000, C7 6,000. D: C4. C9 has no grade
    assert cells == {
        "A": (0, 8_000, 1),
        "B": (8_550, 71_550, 5),
        "D": (34_000, 34_000, 1),
        "unrated": (0, 2_000, 1),
    }


@pytest.mark.parametrize("opening", [1, 3])
def test_the_class_one_and_three_months_ago_is_that_of_those_days(
    small_bank: Warehouse, opening: int
) -> None:
    # nobody's tier changed since July: C9 was known in January
    assert _cells(small_bank, Question("overdue_rate", TODAY, by=("class",), opening=opening)) == {
        "A": (0, 8_000, 1),
        "B": (8_550, 71_550, 5),
        "D": (34_000, 34_000, 1),
        "unrated": (0, 2_000, 1),
    }


def test_the_class_twelve_months_ago_ignores_later_arrears_and_later_customers(
    small_bank: Warehouse,
) -> None:
    cells = _cells(small_bank, Question("overdue_rate_30", TODAY, by=("class",), opening=12))
    # October 2025: C1 still A (AA, stable school job), C4 B (16 days past due), C9 not there
    assert cells == {
        "A": (0, 49_550 + 8_000, 3),
        "B": (34_000, 12_000 + 4_000 + 34_000 + 6_000, 4),
        "new": (0, 2_000, 1),
    }


def test_a_loan_that_was_not_there_at_the_opening_is_new(small_bank: Warehouse) -> None:
    cells = _cells(
        small_bank, Question("overdue_rate", TODAY, by=("class",), scheme="loan_five", opening=3)
    )
    # 31 July: L1, L3, L5, L8, L10 normal; L12 special mention; L6 doubtful; L2 came in August
    assert cells == {
        "normal": (4_000, 45_000 + 12_000 + 4_000 + 2_000 + 8_000, 5),
        "special_mention": (0, 6_000, 1),
        "doubtful": (34_000, 34_000, 1),
        "new": (4_550, 4_550, 1),
    }


def test_a_customer_without_a_loan_then_has_no_class_by_loans_then(small_bank: Warehouse) -> None:
    cells = _cells(
        small_bank, Question("customers", TODAY, by=("class",), scheme="loan_five", opening=1)
    )
    # 30 September: C3 (L5), C9 (L8, 10 days), C7 (L12) special mention; C1, C2, C6 normal; C4
    # doubtful
    assert {code: n for code, (_, _, n) in cells.items()} == {
        "normal": 3,
        "special_mention": 3,
        "doubtful": 1,
    }


def test_five_categories_follow_the_days_past_their_thresholds(small_bank: Warehouse) -> None:
    # L6 on the day of 108, 289 and 381 days past due
    for day, category in ((date(2026, 1, 31), "substandard"), (JUL, "doubtful"), (TODAY, "loss")):
        cells = _cells(
            small_bank,
            Question(
                "balance",
                day,
                by=("class",),
                where=(("family", ("business",)),),
                scheme="loan_five",
                opening=0,
            ),
        )
        assert list(cells) == [category]


def test_an_opening_before_the_first_month_is_left_out_of_a_series(small_bank: Warehouse) -> None:
    # the first month end is 2025-07-31, so that of a class three months ago is 2025-10-31
    frame = ask(
        small_bank, Question("overdue_rate", date(2025, 12, 31), by=("class",), opening=3, last=12)
    )
    assert sorted(frame.as_of.dt.date.unique()) == [
        date(2025, 10, 31),
        date(2025, 11, 30),
        date(2025, 12, 31),
    ]


# ---------- comparisons, several months, filters


def test_month_on_month_has_the_month_before_beside_the_month(small_bank: Warehouse) -> None:
    answer = ask(small_bank, Question("overdue_rate", TODAY, compare="mom")).iloc[0]
    # September: L5 5,000 + L6 34,000 + L8 4,000 of 50,000 + 5,000 + 12,000 + 5,000 + 34,000 + 4,000
    # + 8,000 + 7,000
    assert (answer.numerator_before, answer.denominator_before, answer.n_before) == (
        43_000,
        125_000,
        8,
    )
    assert answer.change == pytest.approx(42_550 / 115_550 - 43_000 / 125_000)


def test_year_on_year_looks_twelve_months_back(small_bank: Warehouse) -> None:
    answer = ask(small_bank, Question("overdue_rate_30", TODAY, compare="yoy")).iloc[0]
    # October 2025: L7 10,000 of 190,000
    assert answer.value_before == pytest.approx(10_000 / 190_000)
    assert answer.change == pytest.approx(34_000 / 115_550 - 10_000 / 190_000)


def test_the_last_three_months_come_in_order(small_bank: Warehouse) -> None:
    frame = ask(small_bank, Question("overdue_rate", TODAY, last=3))
    assert frame.as_of.dt.date.tolist() == [AUG, SEP, TODAY]
    assert frame.numerator.tolist() == [45_000, 43_000, 42_550]
    assert frame.denominator.tolist() == [135_000, 125_000, 115_550]


def test_two_filters_both_hold_and_codes_of_one_are_alternatives(small_bank: Warehouse) -> None:
    question = Question(
        "balance",
        TODAY,
        where=(("branch_1", ("N",)), ("channel", ("mobile", "branch")), ("guarantee", ("credit",))),
    )
    # North, unsecured, mobile or branch: L2 4,550, L6 34,000, L8 2,000, L10 8,000, L12 6,000
    assert ask(small_bank, question).value[0] == 54_550


def test_a_filter_on_the_class_uses_the_opening_asked_for(small_bank: Warehouse) -> None:
    at = [
        ask(
            small_bank, Question("balance", TODAY, where=(("class", ("A",)),), opening=opening)
        ).value[0]
        for opening in (3, 12)
    ]
    # A in July: C6 8,000; A in October 2025: C1 49,550 as well
    assert at == [8_000, 57_550]


def test_an_unknown_attribute_is_a_part_of_its_own(small_bank: Warehouse) -> None:
    cells = _cells(small_bank, Question("balance", TODAY, by=("credit_grade",)))
    # C9 has no grade
    assert cells["unknown"][0] == 2_000
    assert sum(cell[0] for cell in cells.values()) == 115_550


def test_a_split_by_several_columns_adds_up_to_the_whole(small_bank: Warehouse) -> None:
    frame = ask(small_bank, Question("overdue_rate", TODAY, by=("class", "branch_1", "family")))
    assert (frame.numerator.sum(), frame.denominator.sum(), frame.n.sum()) == (42_550, 115_550, 8)


def test_a_rollover_is_separate_from_new_business(small_bank: Warehouse) -> None:
    cells = _cells(small_bank, Question("disbursed", date(2026, 4, 30), by=("rollover",)))
    # L10 rolls L9 over; L5 9,000 and L13 3,000 are new
    assert {code: cell[0] for code, cell in cells.items()} == {"yes": 8_000, "no": 12_000}


def test_bands_are_in_declared_not_alphabetical_order(small_bank: Warehouse) -> None:
    result = ask(small_bank, Question("settled_loans", TODAY, by=("lateness",)))
    # five of six settled on time, L13 twelve days late
    assert list(result["lateness"]) == ["on_time", "late_30"]
    assert list(result["value"]) == [5, 1]
