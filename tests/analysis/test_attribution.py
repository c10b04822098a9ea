"""The bridge: exact at both levels for any book; what it and the sentence say of the demo bank."""

import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.analysis import narrative
from analytics.analysis.attribution import GONE, NEW, NO_DENOMINATOR, bridge, cells_of, decompose
from analytics.analysis.significance import assess_change
from analytics.metrics.edition_metadata import labels
from analytics.metrics.question import Question
from data.editions.reader import Warehouse
from data.errors import UserError

Filters = tuple[tuple[str, tuple[str, ...]], ...]


LAST = date(2026, 10, 31)
YEAR = date(2025, 10, 31)


@pytest.fixture(scope="module")
def bank(demo_home: Path) -> Iterator[Warehouse]:
    bank = Warehouse(demo_home, verify="fingerprint")
    yield bank
    bank.close()


def random_book(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Numerators and denominators of one to twelve parts in two months.

    Some parts are absent in one month, some have no denominator.
    """
    size = int(rng.integers(1, 13))
    halves = [rng.lognormal(rng.uniform(0, 18), 2, size) for _ in range(2)]
    d0, d1 = (np.where(rng.random(size) < 0.85, half, 0.0) for half in halves)
    n0, n1 = (d * rng.random(size) for d in (d0, d1))
    bare = rng.random(size) < 0.05
    n0 = np.where(bare & (d0 == 0), halves[0], n0)
    d0[0] = halves[0][0]
    d1[0] = halves[1][0]
    return n0, d0, n1, d1


def test_the_effects_of_ten_thousand_random_pairs_of_books_leave_nothing_unexplained() -> None:
    rng = np.random.default_rng(4)
    worst = 0.0
    for _ in range(10_000):
        n0, d0, n1, d1 = random_book(rng)
        change = math.fsum(n1) / math.fsum(d1) - math.fsum(n0) / math.fsum(d0)
        values = decompose(n0, d0, n1, d1)
        scale = max(1.0, math.fsum(n0) / math.fsum(d0), math.fsum(n1) / math.fsum(d1))
        worst = max(worst, abs(change - math.fsum(values["effect"])) / scale)
    assert worst < 1e-9


def test_two_parts_worked_by_hand() -> None:
    # before: a 10 of 100, b 10 of 300; after: a 30 of 300, b 5 of 100. R0 = 20/400 = 5 %, R1 =
    # 35/400 = 8.75 %
    values = decompose([10, 10], [100, 300], [30, 5], [300, 100])
    # a: r 10 % → 10 %, w 25 % → 75 %: rate 0; mix 0.5 · (0.10 − 0.06875) = 0.015625
    # b: r 3.33 % → 5 %, w 75 % → 25 %: rate 0.016667 · 0.5; mix −0.5 · (0.0416667 − 0.06875) =
    # 0.0135417
    assert values["rate_effect"] == pytest.approx([0, 0.05 / 6])
    assert values["mix_effect"] == pytest.approx([0.015625, 0.5 * (0.06875 - 0.125 / 3)])
    assert sum(values["effect"]) == pytest.approx(0.0375)


def test_a_part_that_is_new_or_gone_is_all_mix() -> None:
    values = decompose([1, 4, 0], [100, 50, 0], [1, 0, 9], [100, 0, 60])
    assert list(values["state"]) == ["", GONE, NEW]
    assert values["rate_effect"][1:] == pytest.approx([0, 0])
    assert (values["mix_effect"][1:] != 0).all()


def test_a_part_with_a_numerator_but_no_denominator_is_all_rate() -> None:
    values = decompose([1, 4], [100, 0], [1, 4], [100, 50])
    assert values["state"][1] == NO_DENOMINATOR
    assert values["mix_effect"][1] == 0


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        ("overdue_rate_30", ("class", "branch_1")),
        ("overdue_rate_30_customers", ("age_band", "class")),
        ("npl_ratio", ("channel", "product")),
        ("recognition_deviation", ("product",)),
        ("reloan_rate_90", ("credit_grade",)),
        ("products_per_customer", ("branch_1",)),
    ],
)
def test_the_bridge_of_a_bank_closes_at_both_levels(
    bank: Warehouse, metric: str, by: tuple[str, ...]
) -> None:
    result = bridge(bank, Question(metric, LAST, by=by), date(2026, 4, 30))
    assert abs(result.residual) < 1e-9
    if len(by) == 2:
        for row in result.parts.to_dict("records"):
            inside = cells_of(result, row[by[0]])["effect"].sum()
            assert inside == pytest.approx(row["effect"], abs=1e-12)


def test_a_sum_has_one_effect_per_part_its_own_change(bank: Warehouse) -> None:
    result = bridge(bank, Question("balance", LAST, by=("class",)), YEAR)
    assert result.rate is None
    assert result.parts["effect"].sum() == pytest.approx(result.change, abs=0.01)


months = [date(2025, 7, 31), date(2025, 12, 31), date(2026, 3, 31), date(2026, 8, 31), LAST]


@settings(max_examples=25, deadline=None)
@given(
    pair=st.sampled_from([(a, b) for a in months for b in months if a < b]),
    by=st.sampled_from(
        ["product", "channel", "branch_2", "guarantee", "age_band", "bucket", "credit_grade"]
    ),
    where=st.sampled_from([(), (("channel", ("mobile", "branch")),), (("payroll", ("yes",)),)]),
)
def test_the_bridge_closes_for_any_months_split_and_filter(
    demo_home: Path, pair: tuple[date, date], by: str, where: Filters
) -> None:
    bank = Warehouse(demo_home, verify="fingerprint")
    try:
        result = bridge(bank, Question("overdue_rate", pair[1], by=(by,), where=where), pair[0])
    finally:
        bank.close()
    assert abs(result.residual) < 1e-9


@pytest.mark.parametrize(
    ("question", "before", "message"),
    [
        (Question("overdue_rate", LAST, by=("class",)), LAST, "must lie before"),
        (
            Question("overdue_rate", LAST, by=("class",)),
            date(2020, 1, 31),
            "no month end 2020-01-31",
        ),
        (
            Question("customers", LAST, by=("channel",)),
            YEAR,
            "may not honestly be split by channel",
        ),
        (Question("borrowers", LAST, by=("channel",)), YEAR, "add up to more"),
        (Question("overdue_rate", LAST), YEAR, "one split or two"),
        (
            Question("reloan_rate_90", LAST, by=("age_band",), where=(("class", ("new",)),)),
            YEAR,
            "nothing to divide by",
        ),
    ],
)
def test_an_invalid_bridge_is_refused_with_the_reason(
    bank: Warehouse, question: Question, before: date, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        bridge(bank, question, before)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The bank of the planted stories: large enough that they are seen."""
    from analytics.marts.build import build
    from data.demo import write
    from data.loading.pipeline import load

    home = tmp_path_factory.mktemp("story")
    write(home / "delivery", 20_000, 26, 7)
    load(home / "delivery", "contract", home / "home", build_marts=build)
    bank = Warehouse(home / "home", verify="fingerprint")
    yield bank
    bank.close()


def test_the_sentence_says_that_every_tier_improved_and_the_mix_worsened_the_whole(
    story: Warehouse,
) -> None:
    question = Question("overdue_rate_30", LAST, by=("class",), opening=12)
    result = bridge(story, question, YEAR)
    assert result.rate is not None
    assert result.mix is not None
    assert result.rate < 0 < result.mix
    assert result.change > 0
    message = narrative.describe_change(story, question, YEAR, "zh-CN", halves=True)
    assert "各层级自身都在下降" in message
    assert "是结构变化" in message
    assert "÷" in message
    assert "the mix did it" in narrative.describe_change(story, question, YEAR, "en")


def test_the_partner_channel_of_one_province_is_the_largest_effect(story: Warehouse) -> None:
    question = Question("overdue_rate_30", date(2026, 1, 31), by=("channel", "branch_1"))
    result = bridge(story, question, date(2025, 1, 31))
    assert result.cells is not None
    assert tuple(result.cells.iloc[0][["channel", "branch_1"]]) == ("partner", "03")


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_sentence_without_enough_data_says_so(bank: Warehouse, lang: str) -> None:
    message = narrative.describe_change(
        bank, Question("overdue_rate_30", LAST, by=("class",)), date(2020, 1, 31), lang
    )
    assert {"zh-CN": "数据不足，无法判断", "en": "not enough data"}[lang] in message


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_sentence_prints_only_figures_that_were_computed(bank: Warehouse, lang: str) -> None:
    question = Question("overdue_rate_30_customers", LAST, by=("class",))
    result = bridge(bank, question, YEAR)
    significance = assess_change(bank, question, YEAR)
    with bank.session() as session:
        names = labels(session, "class", lang)
    message = narrative.compose(result, significance, names, lang)
    assert f"{result.whole['value']:.2%}" in message
    assert f"{abs(result.change) * 100:.2f}" in message
    assert "加强" not in message
