"""The rulebooks: classes, missing facts, traces.

That SQL gives the same classes is tested in test_clause_sql.py.
"""

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from analytics import rulebooks
from analytics.rulebooks import Example, FactError, NoEdition, Rulebook
from analytics.rulebooks.home_loan import longest_term, repayment_ratio

SCHEMES = rulebooks.read_schemes()
BOOKS = [book for scheme in SCHEMES.values() for book in scheme.editions]


def newest(scheme: str) -> Rulebook:
    return SCHEMES[scheme].editions[-1]


def example(book: Rulebook, english: str) -> Example:
    return next(e for e in book.examples if e.case["en"] == english)


# what is shipped


def test_all_schemes_of_the_specification_are_shipped() -> None:
    assert set(SCHEMES) == {
        "abcd", "risk_four", "consumer_three", "value_three", "consumer_five", "loan_five",
        "score_admission", "rating", "customer_kind", "home_loan", "risk_warning",
    }  # fmt: skip


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.path)
def test_every_worked_example_gives_its_class(book: Rulebook) -> None:
    for case in book.examples:
        assert book.classify(case.facts).code == case.code, case.case["en"]


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.path)
def test_every_class_has_a_worked_example_and_names_in_both_languages(book: Rulebook) -> None:
    assert {case.code for case in book.examples} == set(book.class_codes)
    assert all(
        book.class_names(code)["zh-CN"] and book.class_names(code)["en"]
        for code in book.class_codes
    )


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.path)
def test_every_rule_has_a_clause_to_show(book: Rulebook) -> None:
    for case in book.examples:
        assert all(step.clause for step in book.classify(case.facts).trace)


def test_the_special_codes_stand_after_the_ladder() -> None:
    assert SCHEMES["consumer_five"].class_codes == (
        "one",
        "two",
        "three",
        "four",
        "five",
        "outside",
        "barred",
        "unrated",
    )


def test_history_is_graded_by_the_edition_in_force() -> None:
    editions = {
        day: SCHEMES["loan_five"].edition(day).effective_on
        for day in (date(2023, 6, 30), date(2023, 7, 1))
    }
    assert editions == {date(2023, 6, 30): date(2007, 7, 3), date(2023, 7, 1): date(2023, 7, 1)}


def test_before_the_first_edition_nothing_is_in_force_and_the_sql_is_unrated() -> None:
    with pytest.raises(NoEdition, match="1998-04-20"):
        SCHEMES["loan_five"].edition(date(1998, 4, 19))
    assert SCHEMES["loan_five"].to_sql(date(1998, 4, 19)) == "'unrated'"


def test_provision_rates_are_declared_with_the_class() -> None:
    rates = [
        newest("loan_five").attribute(code, "provision_rate")
        for code in newest("loan_five").class_codes
    ]
    assert rates == [
        Decimal("0.00"),
        Decimal("0.02"),
        Decimal("0.25"),
        Decimal("0.50"),
        Decimal("1.00"),
        None,
    ]


# golden cases


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (0, "normal"), (1, "special_mention"), (90, "special_mention"),
        (91, "substandard"), (270, "substandard"), (271, "doubtful"),
        (360, "doubtful"), (361, "loss"),
    ],
)  # fmt: skip
def test_five_categories_change_the_day_after_the_floor(days: int, code: str) -> None:
    facts = {"days_past_due": days, "is_restructured": False, "is_written_off": False}
    assert newest("loan_five").classify(facts).code == code


def test_class_two_of_58_with_a_co_borrower_of_55_may_borrow_for_15_years() -> None:
    # the oldest would leave 70 - 58 = 12; for classes one to three the younger counts: 70 - 55 = 15
    assert longest_term(newest("home_loan"), [58, 55], "two") == 15


def test_class_four_counts_the_older_applicant_up_to_65() -> None:
    # 65 - 58 = 7
    assert longest_term(newest("home_loan"), [58, 55], "four") == 7


def test_no_term_is_left_beyond_the_limit() -> None:
    assert longest_term(newest("home_loan"), [66], "five") == 0


@pytest.mark.parametrize(
    ("offset", "fund", "ratio"),
    [
        (True, True, "0.346667"),  # (5000 + 200) / (7000 + 5000 + 3000)
        (False, True, "0.413333"),  # (5000 + 200 + 1000) / 15000
        (True, False, "0.433333"),  # (5000 + 200) / 12000
        (False, False, "0.516667"),  # (5000 + 200 + 1000) / 12000
    ],
)
def test_the_repayment_ratio_has_two_switches(offset: bool, fund: bool, ratio: str) -> None:
    result = repayment_ratio(
        newest("home_loan"),
        5000,
        200,
        [7000, 5000],
        short_debts=1000,
        assets_shown=10000,
        provident_fund=3000,
        offset=offset,
        fund=fund,
    )
    assert result == Decimal(ratio)


def test_the_repayment_ratio_has_no_value_without_income() -> None:
    assert repayment_ratio(newest("home_loan"), 5000, 0, [0]) is None


def test_a_negative_amount_has_no_repayment_ratio() -> None:
    with pytest.raises(ValueError, match="not negative"):
        repayment_ratio(newest("home_loan"), 5000, 0, [9000], other_debts=-1)


def test_a_substandard_record_moves_class_one_one_step_down_and_says_so() -> None:
    decision = newest("consumer_five").classify(
        example(
            newest("consumer_five"), "Class one with an own record substandard: class two"
        ).facts
    )
    downgrades = [
        (step.code, step.clause, step.applied)
        for step in decision.trace
        if step.stage == "downgrade"
    ]
    assert (decision.code, downgrades) == ("two", [("two", "第六至八条(三)降级", True)])


def test_a_barred_spouse_bars_a_married_customer_only() -> None:
    book = newest("consumer_five")
    facts = dict(example(book, "Spouse's record barred").facts)
    assert book.classify(facts).code == "barred"
    assert book.classify({**facts, "is_married": False}).code == "one"


# missing facts


def test_a_missing_fact_is_named() -> None:
    facts = dict(
        example(newest("consumer_five"), "Civil servant of deputy-division rank, 45").facts,
        age=None,
    )
    decision = newest("consumer_five").classify(facts)
    assert (decision.code, decision.missing) == ("unrated", ("age",))


def test_a_missing_fact_that_cannot_matter_is_not_asked_for() -> None:
    book = newest("consumer_five")
    facts = dict(
        example(book, "Civil servant of deputy-division rank, 45").facts,
        years_in_business=None,
        licence=None,
    )
    assert book.classify(facts).code == "one"


def test_an_unknown_code_counts_as_missing() -> None:
    book = newest("abcd")
    facts = dict(book.examples[0].facts, credit_grade="other")
    decision = book.classify(facts)
    assert (decision.code, decision.missing) == ("unrated", ("credit_grade",))


def test_a_missing_fact_behind_a_score_is_named() -> None:
    book = newest("score_admission")
    facts = dict(book.examples[0].facts, family_assets=None, age=None)
    assert book.classify(facts).missing == ("age", "family_assets")


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [
        ("age", "45", "a number"),
        ("age", 45.5, "at most 0 decimals"),
        ("age", True, "a number"),
        ("education", "phd", "one of primary"),
        ("has_stable_income", 1, "true or false"),
        ("registered_capital", Decimal("1.001"), "at most 2 decimals"),
    ],
)
def test_a_fact_of_the_wrong_type_is_refused_by_name_and_its_value_not_repeated(
    fact: str, value: Any, message: str
) -> None:
    with pytest.raises(FactError, match=message) as refused:
        newest("consumer_five").classify({fact: value})
    assert refused.value.fact == fact
    assert fact in refused.value.text("zh-CN")
    assert "1.001" not in str(refused.value)


@pytest.mark.parametrize(
    ("fact", "text", "value"),
    [
        ("age", " 45 ", 45),
        ("age", "", None),
        ("registered_capital", "1000000.50", Decimal("1000000.50")),
        ("is_married", "是", True),
        ("is_married", "FALSE", False),
        ("education", "master", "master"),
    ],
)
def test_a_fact_is_read_from_text(fact: str, text: str, value: Any) -> None:
    assert rulebooks.facts()["customer"][fact].read(text) == value


# why


def test_the_trace_shows_clause_rule_value_and_whether_it_held() -> None:
    book = newest("abcd")
    decision = book.classify(example(book, "BBB, 61 days past due within a year").facts)
    steps = [(c.clause, c.text, c.value, c.outcome) for c in decision.trace if c.code == "B"]
    assert steps == [
        ("三(一)1", "credit_grade >= BBB", "BBB", True),
        ("三(一)1", "max_days_past_due_12m <= 60", 61, False),
    ]


def test_the_nearest_boundary_is_one_change_of_one_fact_in_its_unit() -> None:
    book = newest("loan_five")
    near = book.classify(
        {"days_past_due": 95, "is_restructured": False, "is_written_off": False}
    ).nearest_changes
    # 95 → 90 is five days up; 95 → 271 is 176 days down
    up, down = near["up"], near["down"]
    assert (up.target_value, up.difference, up.code, up.fact.unit("zh-CN")) == (
        90,
        -5,
        "special_mention",
        "天",
    )
    assert (down.fact.name, down.code) == ("days_past_due", "doubtful")
    assert down.difference == 176


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.path)
def test_the_boundary_is_true(book: Rulebook) -> None:
    for case in book.examples:
        decision = book.classify(case.facts)
        for change in decision.nearest_changes.values():
            moved = book.classify({**case.facts, change.fact.name: change.target_value})
            assert moved.code == change.code != decision.code


def test_no_closer_single_change_of_a_number_moves_the_class() -> None:
    book = newest("loan_five")
    rng = random.Random(7)
    for days in rng.sample(range(500), 40):
        facts = {"days_past_due": days, "is_restructured": False, "is_written_off": days % 2 == 0}
        decision = book.classify(facts)
        for change in decision.nearest_changes.values():
            if change.fact.name == "days_past_due":
                between = range(min(days, change.target_value) + 1, max(days, change.target_value))
                assert {book.classify({**facts, "days_past_due": d}).code for d in between} <= {
                    decision.code
                }


def test_rules_are_words_in_both_languages() -> None:
    rule = next(rule for rule in newest("consumer_five").leaves() if rule.fact.name == "age")
    assert (rule.words("zh-CN"), rule.words("en")) == (
        "年龄 30–55 岁（含）",
        "Age 30–55 years inclusive",
    )


def test_one_changed_threshold_by_hand_changes_the_class() -> None:
    book = newest("abcd")
    facts = example(book, "BBB, 61 days past due within a year").facts
    text = (rulebooks.FOLDER / "abcd" / "1990-01-01.toml").read_text(encoding="utf-8")
    moved = rulebooks.parse_rulebook_text(
        text.replace("max_days_past_due_12m <= 60", "max_days_past_due_12m <= 61"), examples=False
    )
    assert (book.classify(facts).code, moved.classify(facts).code) == ("C", "B")
    assert moved.digest != book.digest
