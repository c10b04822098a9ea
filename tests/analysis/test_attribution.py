"""The bridge: exact at both levels, whatever the book; the demo bank's stories told rightly."""

import math
from datetime import date

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

LAST, YEAR = date(2026, 10, 31), date(2025, 10, 31)


@pytest.fixture(scope="module")
def bank(demo_home):
    bank = Warehouse(demo_home, verify="fingerprint")
    yield bank
    bank.close()


def random_book(rng):
    """Numerators and denominators of one to twelve parts in two months; some are absent in one month, some have no
    denominator."""
    size = int(rng.integers(1, 13))
    halves = [rng.lognormal(rng.uniform(0, 18), 2, size) for _ in range(2)]
    d0, d1 = (np.where(rng.random(size) < 0.85, half, 0.0) for half in halves)
    n0, n1 = (d * rng.random(size) for d in (d0, d1))
    bare = rng.random(size) < 0.05
    n0 = np.where(bare & (d0 == 0), halves[0], n0)
    d0[0], d1[0] = halves[0][0], halves[1][0]
    return n0, d0, n1, d1


def test_the_effects_of_ten_thousand_random_pairs_of_books_leave_nothing_unexplained():
    rng = np.random.default_rng(4)
    worst = 0.0
    for _ in range(10_000):
        n0, d0, n1, d1 = random_book(rng)
        change = math.fsum(n1) / math.fsum(d1) - math.fsum(n0) / math.fsum(d0)
        told = decompose(n0, d0, n1, d1)
        scale = max(1.0, math.fsum(n0) / math.fsum(d0), math.fsum(n1) / math.fsum(d1))
        worst = max(worst, abs(change - math.fsum(told["effect"])) / scale)
    assert worst < 1e-9


def test_two_parts_worked_by_hand():
    # before: a 10 of 100, b 10 of 300; after: a 30 of 300, b 5 of 100. R0 = 20/400 = 5 %, R1 = 35/400 = 8.75 %
    told = decompose([10, 10], [100, 300], [30, 5], [300, 100])
    # a: r 10 % → 10 %, w 25 % → 75 %: rate 0; mix 0.5 · (0.10 − 0.06875) = 0.015625
    # b: r 3.33 % → 5 %, w 75 % → 25 %: rate 0.016667 · 0.5; mix −0.5 · (0.0416667 − 0.06875) = 0.0135417
    assert told["rate_effect"] == pytest.approx([0, 0.05 / 6])
    assert told["mix_effect"] == pytest.approx([0.015625, 0.5 * (0.06875 - 0.125 / 3)])
    assert sum(told["effect"]) == pytest.approx(0.0375)


def test_a_part_that_is_new_or_gone_is_all_mix():
    told = decompose([1, 4, 0], [100, 50, 0], [1, 0, 9], [100, 0, 60])
    assert list(told["state"]) == ["", GONE, NEW]
    assert told["rate_effect"][1:] == pytest.approx([0, 0])
    assert (told["mix_effect"][1:] != 0).all()


def test_a_part_with_a_numerator_but_no_denominator_is_all_rate():
    told = decompose([1, 4], [100, 0], [1, 4], [100, 50])
    assert told["state"][1] == NO_DENOMINATOR
    assert told["mix_effect"][1] == 0


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
def test_the_bridge_of_a_bank_closes_at_both_levels(bank, metric, by):
    found = bridge(bank, Question(metric, LAST, by=by), date(2026, 4, 30))
    assert abs(found.residual) < 1e-9
    if len(by) == 2:
        for row in found.parts.to_dict("records"):
            inside = cells_of(found, row[by[0]])["effect"].sum()
            assert inside == pytest.approx(row["effect"], abs=1e-12)


def test_a_sum_has_one_effect_per_part_its_own_change(bank):
    found = bridge(bank, Question("balance", LAST, by=("class",)), YEAR)
    assert found.rate is None
    assert found.parts["effect"].sum() == pytest.approx(found.change, abs=0.01)


months = [date(2025, 7, 31), date(2025, 12, 31), date(2026, 3, 31), date(2026, 8, 31), LAST]


@settings(max_examples=25, deadline=None)
@given(
    pair=st.sampled_from([(a, b) for a in months for b in months if a < b]),
    by=st.sampled_from(
        ["product", "channel", "branch_2", "guarantee", "age_band", "bucket", "credit_grade"]
    ),
    where=st.sampled_from([(), (("channel", ("mobile", "branch")),), (("payroll", ("yes",)),)]),
)
def test_the_bridge_closes_for_any_months_split_and_filter(demo_home, pair, by, where):
    bank = Warehouse(demo_home, verify="fingerprint")
    try:
        found = bridge(bank, Question("overdue_rate", pair[1], by=(by,), where=where), pair[0])
    finally:
        bank.close()
    assert abs(found.residual) < 1e-9


@pytest.mark.parametrize(
    ("question", "before", "said"),
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
def test_a_bridge_that_cannot_be_made_says_why(bank, question, before, said):
    with pytest.raises(UserError, match=said):
        bridge(bank, question, before)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
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


def test_the_sentence_tells_that_every_tier_improved_and_the_mix_made_the_whole_worse(story):
    question = Question("overdue_rate_30", LAST, by=("class",), opening=12)
    found = bridge(story, question, YEAR)
    assert found.rate < 0 < found.mix
    assert found.change > 0
    said = narrative.describe_change(story, question, YEAR, "zh-CN", halves=True)
    assert "各层级自身都在下降" in said
    assert "是结构变化" in said
    assert "÷" in said
    assert "the mix did it" in narrative.describe_change(story, question, YEAR, "en")


def test_the_partner_channel_of_one_province_is_the_largest_effect(story):
    question = Question("overdue_rate_30", date(2026, 1, 31), by=("channel", "branch_1"))
    found = bridge(story, question, date(2025, 1, 31))
    assert tuple(found.cells.iloc[0][["channel", "branch_1"]]) == ("partner", "03")


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_sentence_that_the_data_do_not_carry_says_so(bank, lang):
    said = narrative.describe_change(
        bank, Question("overdue_rate_30", LAST, by=("class",)), date(2020, 1, 31), lang
    )
    assert {"zh-CN": "数据不足，无法判断", "en": "not enough data"}[lang] in said


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_sentence_prints_only_figures_that_were_computed(bank, lang):
    question = Question("overdue_rate_30_customers", LAST, by=("class",))
    found, judged = bridge(bank, question, YEAR), assess_change(bank, question, YEAR)
    with bank.session() as view:
        names = labels(view, "class", lang)
    said = narrative.compose(found, judged, names, lang)
    assert f"{found.whole['value']:.2%}" in said
    assert f"{abs(found.change) * 100:.2f}" in said
    assert "加强" not in said
