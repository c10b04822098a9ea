"""Words and numbers as a reader sees them."""

import re

import pytest

from analytics.i18n import text
from data.errors import UserError

PLACE = re.compile(r"{(\w+)}")


def test_both_languages_have_the_same_keys() -> None:
    assert text.words("zh-CN").keys() == text.words("en").keys()


def test_both_languages_have_the_same_placeholders() -> None:
    chinese, english = (
        {key: set(PLACE.findall(message)) for key, message in text.words(lang).items()}
        for lang in text.LANGUAGES
    )
    assert chinese == english


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="fr"):
        text.words("fr")


@pytest.mark.parametrize(
    ("value", "unit", "chinese", "english"),
    [
        (0.03214, "rate", "3.21%", "3.21%"),
        (15503195565, "money", "155.03亿", "15.50bn"),
        (12345, "money", "1.23万", "12.34K"),  # 12.345 rounds half to even
        (99_999_999, "money", "1.00亿", "100.00M"),
        (999, "money", "999", "999"),
        (1234567, "count", "1,234,567", "1,234,567"),
        (2.5, "number", "2.50", "2.50"),
        (float("nan"), "rate", "—", "—"),
        (None, "money", "—", "—"),
    ],
)
def test_a_value_is_formatted_in_the_unit_of_its_metric(
    value: float, unit: str, chinese: str, english: str
) -> None:
    assert text.number(value, unit, "zh-CN") == chinese
    assert text.number(value, unit, "en") == english


def test_money_in_a_list_is_exact_to_the_fen() -> None:
    assert text.exact(15503195565.5, "money", "zh-CN") == "15,503,195,565.50"


def test_a_change_of_a_rate_is_in_percentage_points() -> None:
    assert text.change(0.0115, "rate", "lower", "en").words == "+1.15 pp"  # 3.15 % after 2.00 %
    assert str(text.change(-0.0115, "rate", "lower", "zh-CN")) == "▼ −1.15 百分点"


def test_a_change_that_rounds_to_nothing_has_no_direction_sign() -> None:
    assert text.change(0.00001, "rate", "lower", "en") == text.Change("▬", "±0.00 pp", "plain")


def test_more_overdue_is_bad_and_more_reloans_are_good() -> None:
    assert text.change(0.01, "rate", "lower", "en").verdict == "bad"
    assert text.change(0.01, "rate", "higher", "en").verdict == "good"
    assert text.change(0.01, "rate", "neither", "en").verdict == "plain"


def test_a_refusal_is_in_the_language_of_its_reader() -> None:
    error = UserError("unknown_branch", branch="99")
    assert error.text("zh-CN") == "没有机构 99。"
    assert error.text("en") == "There is no branch '99'."
    assert str(error) == "没有机构 99。There is no branch '99'."


def test_a_date_is_formatted_in_the_language_of_its_reader() -> None:
    assert text.day("2026-10-31", "zh-CN") == "2026年10月31日"
    assert text.day("2026-10-31", "en") == "31 Oct 2026"
    assert text.month("2026-10-31", "zh-CN", short=True) == "26-10"
