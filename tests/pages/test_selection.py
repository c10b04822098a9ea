"""What the reader looks at, and its address."""

from dataclasses import replace

import pytest

from pages.parts.state.selection import Choice, Offer, default, read, said, write

OFFER = Offer(
    months=("2026-08-31", "2026-09-30", "2026-10-31"),
    schemes=("abcd", "loan_five"),
    branches={"01": ("01",), "0101": ("01", "0101")},
    splits=("channel", "family"),
    values=lambda column: {"channel": {"mobile", "partner"}, "family": {"home"}}[column],
)
FULL = Choice(
    as_of="2026-09-30",
    compare="yoy",
    scheme="loan_five",
    opening=1,
    branch=("01", "0101"),
    where=(("channel", ("mobile", "partner")),),
    lang="en",
    picks=(("metric", "overdue_rate"),),
)


def test_an_address_gives_back_the_choice_that_wrote_it():
    assert read(write(FULL), OFFER) == (FULL, [])


def test_a_tier_is_not_taken_before_the_bank_begins():
    young = replace(OFFER, months=OFFER.months[-2:])
    assert default(young).opening == 1
    choice, problems = read({"opening": ["12"]}, young)
    assert choice.opening == 1
    assert problems[0][1]["used"] == "1"


def test_the_address_names_codes_and_no_words():
    assert write(FULL) == {
        "asof": ["2026-09-30"],
        "vs": ["yoy"],
        "scheme": ["loan_five"],
        "opening": ["1"],
        "lang": ["en"],
        "branch": ["0101"],
        "f.channel": ["mobile", "partner"],
        "metric": ["overdue_rate"],
    }


def test_the_same_address_shows_the_same_rows_in_the_other_language():
    chinese, _ = read(write(replace(FULL, lang="zh-CN")), OFFER)
    assert chinese.filters == FULL.filters


def test_an_empty_address_is_the_newest_month_of_the_whole_bank():
    assert read({}, OFFER) == (default(OFFER), [])
    assert default(OFFER).as_of == "2026-10-31"


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("2026-09", "2026-09-30"),
        ("2026-09-15", "2026-09-30"),
        ("2030-01-31", "2026-10-31"),
        ("2020-01-31", "2026-08-31"),
        ("x", "2026-10-31"),
    ],
)
def test_an_unknown_month_becomes_the_nearest_valid_one(asked, used):
    assert read({"asof": [asked]}, OFFER)[0].as_of == used


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
def test_what_cannot_be_used_is_said(address):
    choice, problems = read(address, OFFER)
    assert choice == default(OFFER)
    assert said(problems, "zh-CN").startswith("链接里的部分条件无法使用")
    assert next(iter(address.values()))[0][:5] in said(problems, "en") or "id_number" in said(problems, "en")


def test_the_valid_part_of_a_filter_is_kept():
    choice, problems = read({"f.channel": ["mobile", "pigeon"]}, OFFER)
    assert choice.where == (("channel", ("mobile",)),)
    assert len(problems) == 1


def test_a_branch_narrows_by_its_own_level_only():
    assert FULL.filters[0] == ("branch_2", ("0101",))


def test_an_unknown_switch_of_a_page_is_its_default():
    assert FULL.pick("metric", ["npl_ratio", "balance"]) == "npl_ratio"
    assert FULL.pick("metric", ["npl_ratio", "overdue_rate"]) == "overdue_rate"


def test_a_page_that_was_not_there_is_said_and_leaves_the_address():
    choice, problems = read({"lost": ["nope"], "lang": ["en"]}, OFFER)
    assert said(problems, "en").endswith("there is no page “nope”, showing “Overview”")
    assert "lost" not in write(choice)
