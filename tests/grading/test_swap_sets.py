"""A rulebook compared with another: sets add up, outcomes match the rows, lines of thresholds."""

from datetime import date
from decimal import Decimal

import pytest
from statsmodels.stats.proportion import proportion_confint

from analytics import rulebooks
from analytics.grading import swap_sets
from analytics.rulebooks.thresholds import failing_example, thresholds, with_thresholds
from data.errors import UserError

LAST, EARLIER = date(2026, 10, 31), date(2025, 10, 31)
SCHEMES = rulebooks.read_schemes()
ABCD = SCHEMES["abcd"].editions[-1]


def at(book, **values):
    """The rulebook with the first threshold of each fact at another value."""
    keys = {}
    for threshold in thresholds(book):
        keys.setdefault(threshold.rule.fact.name, threshold.key)
    return rulebooks.parse_rulebook_text(
        with_thresholds(book, {keys[name]: value for name, value in values.items()}), examples=False
    )


@pytest.fixture(scope="module")
def stricter(bank):
    """Class D from 31 days on instead of 91, at the last month end."""
    return swap_sets.compare(bank, ABCD, at(ABCD, max_days_past_due_12m=30), LAST)


def test_the_cells_add_up_to_the_classes_of_the_mart(bank, stricter):
    counts = swap_sets.class_counts(bank, SCHEMES["abcd"], LAST)
    totals = stricter.totals().set_index("class")
    assert {code: n for code, n in totals["n_from"].items() if n} == counts
    assert (totals["n_from"] + totals["swapped_in"] - totals["swapped_out"] == totals["n_to"]).all()
    assert totals["n_from"].sum() == totals["n_to"].sum() == stricter.frame["n"].sum()
    assert (
        totals["swapped_in"].sum() == totals["swapped_out"].sum() == stricter.moved["n"].sum() > 0
    )


def test_balances_of_the_cells_add_up_to_that_of_the_month(bank, stricter):
    balance = bank.one("select sum(loan_balance) from customer_month where as_of = $d", d=LAST)[0]
    assert stricter.frame["balance"].sum() == pytest.approx(float(balance), abs=0.01)


def test_only_those_between_the_two_thresholds_move(bank, stricter):
    between = bank.one(
        "select count(*) from customer_month "
        "where as_of = $d and max_days_past_due_12m between 31 and 90 "
        "and cast(abcd as varchar) <> 'D'",
        d=LAST,
    )[0]
    assert set(stricter.moved["class_to"]) == {"D"}
    assert stricter.moved["n"].sum() == between


def test_the_overdue_observed_is_that_of_the_members_with_a_wilson_interval(bank, stricter):
    row = stricter.frame.query("class_from == 'C' and class_to == 'C'").iloc[0]
    counts = bank.one(
        "select count(*), count(*) filter (where late) "
        "from (select bool_or(days_past_due > 30) as late from customer_month "
        "where as_of > $since and as_of <= $d and loan_balance > 0 and customer_key in "
        "(select customer_key from customer_month "
        "where as_of = $d and cast(abcd as varchar) = 'C' "
        "and max_days_past_due_12m <= 30) group by customer_key)",
        since=EARLIER,
        d=LAST,
    )
    assert (row["observed"], row["overdue"]) == counts
    low, high = proportion_confint(counts[1], counts[0], method="wilson")
    assert (row["overdue_low"], row["overdue_high"]) == (pytest.approx(low), pytest.approx(high))


def test_a_rulebook_against_itself_moves_nobody(bank):
    assert swap_sets.compare(bank, ABCD, ABCD, LAST).moved.empty


def test_outcomes_come_after_the_grading_where_twelve_months_follow(bank, stricter):
    after = swap_sets.compare(bank, ABCD, ABCD, EARLIER).window
    assert (after.first, after.last, after.is_out_of_time) == (date(2025, 11, 30), LAST, True)
    assert (stricter.window.first, stricter.window.last, stricter.window.is_out_of_time) == (
        date(2025, 11, 30),
        LAST,
        False,
    )


def test_the_provision_changes_by_balance_times_the_difference_of_the_rates(bank):
    # substandard from 61 days on instead of 91: 25 % instead of 2 % of the balance that moves
    five = SCHEMES["loan_five"].edition(LAST)
    key = next(t.key for t in thresholds(five) if t.rule.text == "days_past_due > 90")
    swaps = swap_sets.compare(
        bank,
        five,
        rulebooks.parse_rulebook_text(with_thresholds(five, {key: 60}), examples=False),
        LAST,
    )
    row = swaps.moved.iloc[0]
    assert (row["class_from"], row["class_to"]) == ("special_mention", "substandard")
    assert row["provision_change"] == pytest.approx(row["balance"] * 0.23)
    assert swaps.frame["provision_change"].sum() == pytest.approx(row["provision_change"])


def test_customers_and_loans_are_not_compared(bank):
    with pytest.raises(UserError, match="cannot be compared"):
        swap_sets.compare(bank, ABCD, SCHEMES["loan_five"].editions[-1], LAST)


def test_an_edition_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(UserError, match="1998-04-20, 2007-07-03, 2023-07-01"):
        swap_sets.find_rulebook(SCHEMES["loan_five"], "2020-01-01")
    (tmp_path / "other.toml").write_text(ABCD.text, encoding="utf-8")
    with pytest.raises(UserError, match="rulebook of abcd, not of loan_five"):
        swap_sets.find_rulebook(SCHEMES["loan_five"], str(tmp_path / "other.toml"))


# thresholds


@pytest.mark.parametrize(
    "book", [s.editions[-1] for s in SCHEMES.values()], ids=lambda book: book.id
)
def test_every_threshold_can_be_moved_by_itself_and_back(book):
    for threshold in thresholds(book):
        fact, value = threshold.rule.fact, threshold.value
        other = (
            value + 1 if fact.is_numeric else next(code for code in fact.ascending if code != value)
        )
        text = with_thresholds(book, {threshold.key: other})
        changed = [
            pair
            for pair in zip(book.text.split("\n"), text.split("\n"), strict=True)
            if pair[0] != pair[1]
        ]
        assert len(changed) == 1, threshold.key
        if threshold.rule.sign != "between":
            again = rulebooks.parse_rulebook_text(text, examples=False)
            assert other in [
                t.value for t in thresholds(again) if t.rule.note.line == threshold.rule.note.line
            ]
        assert with_thresholds(book, {threshold.key: value}) == book.text


def test_the_edited_file_has_its_new_date_and_nothing_else_is_touched():
    text = with_thresholds(ABCD, {}, date(2027, 1, 1))
    changed = [
        pair
        for pair in zip(ABCD.text.split("\n"), text.split("\n"), strict=True)
        if pair[0] != pair[1]
    ]
    assert changed == [("effective_on  = 1990-01-01", "effective_on  = 2027-01-01")]


def test_a_moved_threshold_that_breaks_a_worked_example_is_reported_before_signing():
    key = next(t.key for t in thresholds(ABCD) if t.rule.text == "max_days_past_due_12m <= 60")
    problem = failing_example(with_thresholds(ABCD, {key: 45}), rulebooks.parse_rulebook_text)
    assert problem is not None
    assert "60 days past due" in problem.text("en")
    assert failing_example(ABCD.text, rulebooks.parse_rulebook_text) is None


def test_a_fraction_from_a_slider_is_written_as_an_officer_would():
    cap = next(
        t
        for t in thresholds(SCHEMES["customer_kind"].editions[-1])
        if t.rule.fact.name == "family_assets"
    )
    text = with_thresholds(SCHEMES["customer_kind"].editions[-1], {cap.key: Decimal("5000000")})
    assert '"family_assets >= 5000000"' in text
