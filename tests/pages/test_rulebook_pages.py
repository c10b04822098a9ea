"""The pages on rules in both languages: they print what rulebooks, library and data say."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from analytics import rulebooks
from analytics.grading import compliance, customer_profile, swap_sets
from analytics.i18n.text import LANGUAGES, number, say
from analytics.presentation import rulebook_charts
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.thresholds import thresholds, with_thresholds
from data.dates import month_end
from data.editions.reader import Warehouse
from tests.support.page_text import OpenPage, page_html

LAST = date(2026, 10, 31)
SCHEMES = rulebooks.read_schemes()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_rulebook_is_printed_with_every_class_clause_and_example(
    app: OpenPage, scheme: str, lang: str
) -> None:
    body = page_html(app("rules/rulebooks", lang=lang, scheme=scheme))
    book = SCHEMES[scheme].editions[-1]
    for item in book.classes:
        assert item.names[lang] in body
    for clause in {leaf.note.clause for leaf in book.leaves()} - {""}:
        assert clause in body
    for case in book.examples:
        assert case.case[lang].split("'")[0] in body


def test_a_second_example_of_a_person_names_only_the_differences(app: OpenPage) -> None:
    body = page_html(app("rules/rulebooks", lang="en", scheme="consumer_five"))
    assert "as “Civil servant of deputy-division rank, 45”, but Age 30" in body
    assert body.count("Age 45") == 1


def test_the_numbers_beside_the_classes_are_those_of_the_month(
    app: OpenPage, bank: Warehouse
) -> None:
    body = page_html(app("rules/rulebooks", scheme="abcd"))
    for count in swap_sets.class_counts(bank, SCHEMES["abcd"], LAST).values():
        assert f'<td class="num">{count:,}</td>' in body


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_earlier_edition_can_be_read(app: OpenPage, lang: str) -> None:
    body = page_html(app("rules/rulebooks", lang=lang, scheme="loan_five", edition="1998-04-20"))
    assert SCHEMES["loan_five"].editions[0].document[lang] in body


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_moved_slider_shows_at_once_who_moves(app: OpenPage, bank: Warehouse, lang: str) -> None:
    book = SCHEMES["abcd"].editions[-1]
    test = app("rules/compare", lang=lang, scheme="abcd")
    first = thresholds(book)[0]
    assert first.rule.text == "max_days_past_due_12m > 90"
    test.slider[0].set_value(30).run()
    assert not test.exception
    after = rulebooks.parse_rulebook_text(with_thresholds(book, {first.key: 30}), examples=False)
    swaps = swap_sets.compare(bank, book, after, LAST)
    body = page_html(test)
    assert f"{int(swaps.moved['n'].sum()):,}" in body
    for row in swaps.moved.to_dict("records"):
        codes = (row["class_from"], row["class_to"])
        names = [book.class_names(code)[lang] for code in codes]
        assert " → ".join(names) in body
    test.button(key=f"simulate_reset_{lang}").click().run()
    assert " → " not in page_html(test).split("<thead>")[-1]


def test_thresholds_that_contradict_are_refused_with_a_sentence(app: OpenPage) -> None:
    test = app("rules/compare", lang="en", scheme="consumer_five")
    low = next(slider for slider in test.slider if slider.value == 30)
    low.set_value(60).run()
    assert not test.exception
    assert "lower bound is above the upper" in test.warning[0].value


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_can_be_simulated(app: OpenPage, scheme: str, lang: str) -> None:
    assert page_html(app("rules/compare", lang=lang, scheme=scheme))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_compliance_page_prints_the_counts(app: OpenPage, bank: Warehouse, lang: str) -> None:
    body = page_html(app("rules/compliance", lang=lang))
    months = [month_end(LAST, -back) for back in (11, 0)]
    trend = compliance.trend(bank, months)
    for row in compliance.counts(bank, LAST).to_dict("records"):
        name = compliance.rules_in_force(LAST)[row["rule"]].names[lang]
        assert name in body
        assert f'<td class="num">{row["breaches"]:,}</td>' in body
        assert number(row["share"], "rate", lang) in body
        # the alt text of the line of the last twelve months
        breaches = trend[trend["rule"] == row["rule"]]["breaches"]
        ends = {"first": f"{breaches.iloc[0]:,}", "last": f"{breaches.iloc[-1]:,}"}
        assert say("rules.spark", lang, name=name, months=12, **ends) in body


@pytest.fixture(scope="module")
def customer_number(bank: Warehouse) -> str:
    """A customer of class D."""
    customers = customer_profile.example_customers(bank, "abcd", LAST).set_index("class")
    return customers.loc["D", "customer_id"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_card_of_a_customer_gives_every_class_and_why(
    app: OpenPage, bank: Warehouse, customer_number: str, lang: str
) -> None:
    test = app("analysis/customer", lang=lang, scheme="abcd")
    test.text_input(key="customer_number").set_value(customer_number).run()
    assert not test.exception
    body = page_html(test)
    profile = customer_profile.profile_of(bank, SCHEMES, LAST, customer_number)
    assert len(profile.cases) >= 10
    for case in profile.cases:
        assert case.stored_class == case.decision.code
        assert case.decision.names[lang] in body
    assert "●" in body


def test_a_customer_number_is_never_in_the_address(app: OpenPage, customer_number: str) -> None:
    test = app("analysis/customer")
    test.text_input(key="customer_number").set_value(customer_number).run()
    assert customer_number not in json.dumps(
        {name: test.query_params[name] for name in test.query_params}
    )


def test_the_name_on_the_card_is_masked(
    app: OpenPage, bank: Warehouse, customer_number: str
) -> None:
    test = app("analysis/customer")
    test.text_input(key="customer_number").set_value(customer_number).run()
    assert "**" in customer_profile.profile_of(bank, SCHEMES, LAST, customer_number).who["name"]


def test_an_unknown_number_is_a_sentence_that_does_not_repeat_it(app: OpenPage) -> None:
    test = app("analysis/customer", lang="en")
    test.text_input(key="customer_number").set_value("C9'; drop table loan").run()
    assert not test.exception
    assert test.warning[0].value == "There is no customer with this number."


@pytest.fixture
def rulebook_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the rulebooks that a test may damage, used in their place."""
    copy = shutil.copytree(rulebooks.FOLDER, tmp_path / "rulebooks")
    monkeypatch.setattr(rulebooks, "FOLDER", copy)
    schemes.cache_clear()
    yield copy
    monkeypatch.undo()
    schemes.cache_clear()


def break_rule(file: Path) -> None:
    """Misspell a fact in the file."""
    text = file.read_text("utf-8")
    file.write_text(
        text.replace("max_days_past_due_12m > 90", "max_days_past_duo_12m > 90"), "utf-8"
    )


@pytest.mark.parametrize("page", ["overall/overview", "rules/rulebooks", "about/data"])
def test_a_broken_rulebook_leaves_the_one_that_graded_the_data_in_force(
    app: OpenPage, rulebook_folder: Path, page: str
) -> None:
    break_rule(rulebook_folder / "abcd" / "1990-01-01.toml")
    test = app(page, lang="en", scheme="abcd")
    assert "A prime" in json.dumps([page_html(test), str(schemes()["abcd"].editions[-1].classes)])
    if page != "overall/overview":
        assert any(
            "did you mean max_days_past_due_12m?" in warning.value for warning in test.warning
        )


def test_a_broken_new_edition_leaves_the_one_before_in_force(
    app: OpenPage, rulebook_folder: Path
) -> None:
    new = rulebook_folder / "abcd" / "2026-01-01.toml"
    shutil.copy(rulebook_folder / "abcd" / "1990-01-01.toml", new)
    break_rule(new)
    test = app("rules/rulebooks", lang="en", scheme="abcd")
    assert "abcd/2026-01-01.toml" in test.warning[0].value
    assert schemes()["abcd"].edition(LAST).effective_on == date(1990, 1, 1)


def test_a_new_edition_is_read_at_once_with_a_notice_that_it_has_not_graded_the_data(
    app: OpenPage, rulebook_folder: Path
) -> None:
    text = (
        (rulebook_folder / "abcd" / "1990-01-01.toml")
        .read_text("utf-8")
        .replace("1990-01-01", "2027-01-01")
    )
    (rulebook_folder / "abcd" / "2027-01-01.toml").write_text(text, "utf-8")
    test = app("rules/rulebooks", lang="en", scheme="abcd", edition="2027-01-01")
    assert "have not graded" in test.info[0].value or "has not graded" in test.info[0].value


def test_the_history_names_a_class_where_it_begins_as_far_as_it_fits() -> None:
    # twelve months: eleven A, one D; a month has room for 3.2 characters: 风险预警 becomes 风险…
    months = [date(2026, month, 28) for month in range(1, 13)]
    frame = pd.DataFrame({"as_of": months, "days_past_due": [0.0] * 12, "tier": ["A"] * 11 + ["D"]})
    ladders = {"tier": ("等级", ("A", "D"), {"A": "优质客户", "D": "风险预警"})}
    notes = rulebook_charts.history(frame, ladders, "zh-CN")["layout"]["annotations"]
    assert [(note["x"], note["y"], note["text"]) for note in notes] == [
        (-0.5, 0, "优质客户"),
        (10.5, 0, "风险…"),
    ]
