"""What the reader looks at, and its address."""

from dataclasses import replace

import pytest

from pages.parts.state.selection import (
    Selection,
    SelectionOptions,
    default_selection,
    describe_corrections,
    from_url_params,
    to_url_params,
)

OPTIONS = SelectionOptions(
    months=("2026-08-31", "2026-09-30", "2026-10-31"),
    schemes=("abcd", "loan_five"),
    branches={"01": ("01",), "0101": ("01", "0101")},
    dimensions=("channel", "family"),
    values=lambda column: {"channel": {"mobile", "partner"}, "family": {"home"}}[column],
)
FULL = Selection(
    as_of="2026-09-30",
    compare="yoy",
    scheme="loan_five",
    opening=1,
    branch=("01", "0101"),
    where=(("channel", ("mobile", "partner")),),
    lang="en",
    page_params=(("metric", "overdue_rate"),),
)


def test_an_address_gives_back_the_selection_that_wrote_it() -> None:
    assert from_url_params(to_url_params(FULL), OPTIONS) == (FULL, [])


def test_an_opening_before_the_first_month_is_not_available() -> None:
    young = replace(OPTIONS, months=OPTIONS.months[-2:])
    assert default_selection(young).opening == 1
    selection, corrections = from_url_params({"opening": ["12"]}, young)
    assert selection.opening == 1
    assert corrections[0][1]["used"] == "1"


def test_the_address_names_codes_and_no_words() -> None:
    assert to_url_params(FULL) == {
        "asof": ["2026-09-30"],
        "vs": ["yoy"],
        "scheme": ["loan_five"],
        "opening": ["1"],
        "lang": ["en"],
        "branch": ["0101"],
        "f.channel": ["mobile", "partner"],
        "metric": ["overdue_rate"],
    }


def test_the_same_address_shows_the_same_rows_in_the_other_language() -> None:
    chinese, _ = from_url_params(to_url_params(replace(FULL, lang="zh-CN")), OPTIONS)
    assert chinese.filters == FULL.filters


def test_an_empty_address_is_the_newest_month_of_the_whole_bank() -> None:
    assert from_url_params({}, OPTIONS) == (default_selection(OPTIONS), [])
    assert default_selection(OPTIONS).as_of == "2026-10-31"


@pytest.mark.parametrize(
    ("day", "used"),
    [
        ("2026-09", "2026-09-30"),
        ("2026-09-15", "2026-09-30"),
        ("2030-01-31", "2026-10-31"),
        ("2020-01-31", "2026-08-31"),
        ("x", "2026-10-31"),
    ],
)
def test_an_unknown_month_becomes_the_nearest_valid_one(day: str, used: str) -> None:
    assert from_url_params({"asof": [day]}, OPTIONS)[0].as_of == used


@pytest.mark.parametrize(
    "address",
    [
        {"asof": ["2031-01-31"]},
        {"vs": ["never"]},
        {"scheme": ["x') or 1=1 --"]},
        {"opening": ["7"]},
        {"opening": ["three"]},
        {"branch": ["9999"]},
        {"f.channel": ["银行"]},
        {"f.id_number": ["110101"]},
        {"lang": ["fr"]},
    ],
)
def test_what_cannot_be_used_is_reported(address: dict[str, list[str]]) -> None:
    selection, corrections = from_url_params(address, OPTIONS)
    assert selection == default_selection(OPTIONS)
    assert describe_corrections(corrections, "zh-CN").startswith("链接里的部分条件无法使用")
    assert next(iter(address.values()))[0][:5] in describe_corrections(
        corrections, "en"
    ) or "id_number" in describe_corrections(corrections, "en")


def test_the_valid_codes_of_a_filter_remain() -> None:
    selection, corrections = from_url_params({"f.channel": ["mobile", "pigeon"]}, OPTIONS)
    assert selection.where == (("channel", ("mobile",)),)
    assert len(corrections) == 1


def test_a_branch_narrows_by_its_own_level_only() -> None:
    assert FULL.filters[0] == ("branch_2", ("0101",))


def test_an_unknown_page_parameter_gives_the_default() -> None:
    assert FULL.page_param("metric", ["npl_ratio", "balance"]) == "npl_ratio"
    assert FULL.page_param("metric", ["npl_ratio", "overdue_rate"]) == "overdue_rate"


def test_an_unknown_page_is_reported_and_dropped_from_the_address() -> None:
    selection, corrections = from_url_params({"lost": ["nope"], "lang": ["en"]}, OPTIONS)
    assert describe_corrections(corrections, "en").endswith(
        "there is no page “nope”, showing “Overview”"
    )
    assert "lost" not in to_url_params(selection)
