"""The pages on rules in both languages: what they print is what the rulebooks, the command line and the data say."""

import json
import shutil
from datetime import date

import pandas as pd
import pytest

from analytics import rulebooks
from analytics.grading import compliance, customer_profile, swap_sets
from analytics.i18n.text import LANGUAGES, number, say
from analytics.presentation import rulebook_charts
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.thresholds import thresholds, with_thresholds
from data.dates import month_end
from tests.pages.test_pages import printed

LAST = date(2026, 10, 31)
SCHEMES = rulebooks.read_schemes()


def short(lang):
    return "zh" if lang == "zh-CN" else "en"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_rulebook_is_printed_with_every_class_clause_and_example(app, scheme, lang):
    said = printed(app("rules/rulebooks", lang=lang, scheme=scheme))
    book = SCHEMES[scheme].editions[-1]
    for item in book.classes:
        assert item.names[short(lang)] in said
    for clause in {leaf.note.clause for leaf in book.leaves()} - {""}:
        assert clause in said
    for case in book.examples:
        assert case.case[short(lang)].split("'")[0] in said


def test_a_second_example_of_a_person_is_told_by_what_differs(app):
    said = printed(app("rules/rulebooks", lang="en", scheme="consumer_five"))
    assert "as “Civil servant of deputy-division rank, 45”, but Age 30" in said
    assert said.count("Age 45") == 1


def test_the_numbers_beside_the_classes_are_those_of_the_month(app, bank):
    said = printed(app("rules/rulebooks", scheme="abcd"))
    for count in swap_sets.class_counts(bank, SCHEMES["abcd"], LAST).values():
        assert f'<td class="num">{count:,}</td>' in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_earlier_edition_can_be_read(app, lang):
    said = printed(app("rules/rulebooks", lang=lang, scheme="loan_five", edition="1998-04-20"))
    assert SCHEMES["loan_five"].editions[0].document[short(lang)] in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_moved_slider_shows_at_once_who_moves(app, bank, lang):
    book = SCHEMES["abcd"].editions[-1]
    test = app("rules/compare", lang=lang, scheme="abcd")
    first = thresholds(book)[0]
    assert first.rule.text == "max_days_past_due_12m > 90"
    test.slider[0].set_value(30).run()
    assert not test.exception
    after = rulebooks.parse_rulebook_text(with_thresholds(book, {first.key: 30}), examples=False)
    made = swap_sets.compare(bank, book, after, LAST)
    said = printed(test)
    assert f"{int(made.moved['n'].sum()):,}" in said
    for row in made.moved.itertuples():
        names = [book.class_names(code)[short(lang)] for code in (row.class_from, row.class_to)]
        assert " → ".join(names) in said
    test.button(key=f"simulate_reset_{lang}").click().run()
    assert " → " not in printed(test).split("<thead>")[-1]


def test_thresholds_that_contradict_are_refused_with_a_sentence(app):
    test = app("rules/compare", lang="en", scheme="consumer_five")
    low = next(slider for slider in test.slider if slider.value == 30)
    low.set_value(60).run()
    assert not test.exception
    assert "lower bound is above the upper" in test.warning[0].value


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_can_be_simulated(app, scheme, lang):
    assert printed(app("rules/compare", lang=lang, scheme=scheme))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_compliance_page_prints_the_counts(app, bank, lang):
    said = printed(app("rules/compliance", lang=lang))
    for row in compliance.counts(bank, LAST).itertuples():
        assert compliance.rules_in_force(LAST)[row.rule].names[short(lang)] in said
        assert f'<td class="num">{row.breaches:,}</td>' in said
        assert number(row.share, "rate", lang) in said
        # the line of the last twelve months, in words for who cannot see it
        name, months = (
            compliance.rules_in_force(LAST)[row.rule].names[short(lang)],
            [month_end(LAST, -back) for back in (11, 0)],
        )
        over = compliance.trend(bank, months).query("rule == @row.rule")["breaches"]
        ends = {"first": f"{over.iloc[0]:,}", "last": f"{over.iloc[-1]:,}"}
        assert say("rules.spark", lang, name=name, months=12, **ends) in said


@pytest.fixture(scope="module")
def somebody(bank):
    """A customer of class D."""
    found = customer_profile.example_customers(bank, "abcd", LAST).set_index("class")
    return found.loc["D", "customer_id"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_card_of_a_customer_gives_every_class_and_why(app, bank, somebody, lang):
    test = app("analysis/customer", lang=lang, scheme="abcd")
    test.text_input(key="customer_number").set_value(somebody).run()
    assert not test.exception
    said = printed(test)
    made = customer_profile.profile_of(bank, SCHEMES, LAST, somebody)
    assert len(made.cases) >= 10
    for case in made.cases:
        assert case.stored_class == case.decision.code
        assert case.decision.names[short(lang)] in said
    assert "●" in said


def test_a_customers_number_never_stands_in_the_address(app, somebody):
    test = app("analysis/customer")
    test.text_input(key="customer_number").set_value(somebody).run()
    assert somebody not in json.dumps({name: test.query_params[name] for name in test.query_params})


def test_the_name_on_the_card_is_masked(app, bank, somebody):
    test = app("analysis/customer")
    test.text_input(key="customer_number").set_value(somebody).run()
    assert "**" in customer_profile.profile_of(bank, SCHEMES, LAST, somebody).who["name"]


def test_an_unknown_number_is_a_sentence_that_does_not_repeat_it(app):
    test = app("analysis/customer", lang="en")
    test.text_input(key="customer_number").set_value("C9'; drop table loan").run()
    assert not test.exception
    assert test.warning[0].value == "There is no customer with this number."


# refused rulebooks


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A copy of the shipped rulebooks that a test may spoil, in place of them."""
    copy = shutil.copytree(rulebooks.FOLDER, tmp_path / "rulebooks")
    monkeypatch.setattr(rulebooks, "FOLDER", copy)
    schemes.cache_clear()
    yield copy
    monkeypatch.undo()
    schemes.cache_clear()


def spoil(file):
    text = file.read_text("utf-8")
    file.write_text(
        text.replace("max_days_past_due_12m > 90", "max_days_past_duo_12m > 90"), "utf-8"
    )


@pytest.mark.parametrize("page", ["overall/overview", "rules/rulebooks", "about/data"])
def test_a_broken_rulebook_leaves_the_one_that_graded_the_data_in_force(app, shelf, page):
    spoil(shelf / "abcd" / "1990-01-01.toml")
    test = app(page, lang="en", scheme="abcd")
    assert "A prime" in json.dumps([printed(test), str(schemes()["abcd"].editions[-1].classes)])
    if page != "overall/overview":
        assert any(
            "did you mean max_days_past_due_12m?" in warning.value for warning in test.warning
        )


def test_a_broken_new_edition_leaves_the_one_before_in_force(app, shelf):
    new = shelf / "abcd" / "2026-01-01.toml"
    shutil.copy(shelf / "abcd" / "1990-01-01.toml", new)
    spoil(new)
    test = app("rules/rulebooks", lang="en", scheme="abcd")
    assert "abcd/2026-01-01.toml" in test.warning[0].value
    assert schemes()["abcd"].edition(LAST).effective_on == date(1990, 1, 1)


def test_a_new_edition_is_read_at_once_and_said_not_to_have_graded_the_data(app, shelf):
    text = (
        (shelf / "abcd" / "1990-01-01.toml").read_text("utf-8").replace("1990-01-01", "2027-01-01")
    )
    (shelf / "abcd" / "2027-01-01.toml").write_text(text, "utf-8")
    test = app("rules/rulebooks", lang="en", scheme="abcd", edition="2027-01-01")
    assert "have not graded" in test.info[0].value or "has not graded" in test.info[0].value


def test_the_history_writes_a_class_where_it_begins_as_far_as_it_fits():
    # twelve months: eleven A, one D; a month has room for 3.2 characters, of 风险预警 (4) stay two and the dots
    months = [date(2026, month, 28) for month in range(1, 13)]
    frame = pd.DataFrame({"as_of": months, "days_past_due": [0.0] * 12, "tier": ["A"] * 11 + ["D"]})
    ladders = {"tier": ("等级", ("A", "D"), {"A": "优质客户", "D": "风险预警"})}
    written = rulebook_charts.history(frame, ladders, "zh-CN")["layout"]["annotations"]
    assert [(note["x"], note["y"], note["text"]) for note in written] == [
        (-0.5, 0, "优质客户"),
        (10.5, 0, "风险…"),
    ]
