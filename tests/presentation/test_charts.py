"""Charts of given frames have the expected marks, order, labels and colours."""

import base64
import json
from typing import NamedTuple

import pandas as pd
import plotly.io
import pytest

from analytics.presentation import change_charts, curve_charts, metric_charts, plotly_figures, theme
from analytics.presentation.marks import Figure
from analytics.presentation.theme import DARK, LIGHT, Theme, sparkline, ticks


class Unit(NamedTuple):
    """The two fields of a metric that a figure reads."""

    unit: str
    better: str


OVERDUE = Unit("rate", "lower")
NAMES = {"A": "甲", "B": "乙", "C": "丙"}


@pytest.fixture
def by_class() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "class": ["A", "B", "C"],
            "numerator": [1.0, 30.0, 2.0],
            "denominator": [100.0, 300.0, 10.0],
            "value": [0.01, 0.10, 0.20],
            "n": [100, 300, 10],
            "value_before": [0.02, 0.08, 0.20],
            "n_before": [90, 280, 10],
            "change": [-0.01, 0.02, 0.0],
        }
    )


@pytest.fixture
def by_month() -> pd.DataFrame:
    days = pd.date_range("2024-01-31", periods=30, freq="ME")
    return pd.DataFrame(
        {
            "as_of": days,
            "numerator": range(30),
            "denominator": 100,
            "value": [i / 100 for i in range(30)],
            "n": 100,
        }
    )


def every_figure(
    by_class: pd.DataFrame, by_month: pd.DataFrame, dark: bool = False
) -> list[Figure]:
    monthly = pd.concat([by_month.assign(**{"class": code}) for code in "AB"])
    return [
        metric_charts.trend(by_month, OVERDUE, "zh-CN", dark=dark),
        metric_charts.bars(by_class, OVERDUE, "class", NAMES, "en", dark=dark, whole=0.0805),
        metric_charts.multiples(monthly, OVERDUE, "class", NAMES, "zh-CN", dark=dark, order="ABC"),
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_plotly_accepts_every_property_of_every_figure(
    by_class: pd.DataFrame, by_month: pd.DataFrame, dark: bool
) -> None:
    for figure in every_figure(by_class, by_month, dark):
        assert plotly_figures.to_plotly(figure).data


def test_a_figure_reaches_the_browser_unchanged_and_without_a_template(
    by_class: pd.DataFrame, by_month: pd.DataFrame
) -> None:
    for figure in every_figure(by_class, by_month):
        browser_figure = json.loads(
            plotly.io.to_json(plotly_figures.to_streamlit(figure), validate=False)
        )
        assert browser_figure == json.loads(json.dumps(figure))
        assert "template" not in browser_figure["layout"]
        assert browser_figure["layout"]["datarevision"] == 1


def test_a_margin_holds_the_longest_label_of_its_axis(by_class: pd.DataFrame) -> None:
    names = NAMES | {"A": "朝阳支行"}
    figure = metric_charts.bars(by_class, OVERDUE, "class", names, "zh-CN", order="ABC")
    # Four Chinese signs of 13 pixels, 3 to the bars, and the narrowest margin
    # (4, at the foot) beside them.
    assert figure["layout"]["margin"]["l"] == 4 * 13 + 3 + 4


def test_a_label_of_two_lines_is_as_wide_as_its_longer_one_and_markup_takes_no_room() -> None:
    assert theme.label_width("分行<br><b>一二三</b>", 10) == 30
    assert theme.label_width("A&amp;B", 10) == theme.label_width("A", 10) + theme.label_width(
        "&", 10
    ) + theme.label_width("B", 10)


def test_bars_are_sorted_by_value_and_begin_at_zero(by_class: pd.DataFrame) -> None:
    figure = metric_charts.bars(by_class, OVERDUE, "class", NAMES, "en")
    assert [mark[0] for mark in figure["data"][0]["customdata"]] == ["C", "B", "A"]
    assert figure["layout"]["xaxis"]["range"][0] == 0


def test_bars_of_classes_keep_the_order_of_the_rulebook(by_class: pd.DataFrame) -> None:
    figure = metric_charts.bars(
        by_class.sample(frac=1, random_state=1), OVERDUE, "class", NAMES, "en", order="ABC"
    )
    assert [mark[0] for mark in figure["data"][0]["customdata"]] == ["A", "B", "C"]


def test_a_group_under_thirty_is_grey_and_says_so(by_class: pd.DataFrame) -> None:
    bars = metric_charts.bars(by_class, OVERDUE, "class", NAMES, "zh-CN", order="ABC")["data"][0]
    assert bars["marker"]["color"] == [LIGHT.accent, LIGHT.accent, LIGHT.faint]
    assert "样本不足" in bars["text"][2]
    assert "样本不足" not in bars["text"][1]


def test_a_name_from_the_data_never_becomes_markup(by_class: pd.DataFrame) -> None:
    figure = metric_charts.bars(
        by_class, OVERDUE, "class", {"A": "<a href='//evil'>x</a>"}, "en", order="ABC"
    )
    assert figure["layout"]["yaxis"]["ticktext"][0].startswith("&lt;a href")
    assert "<a" not in figure["data"][0]["hovertext"][0]


def test_last_year_is_the_same_month_twelve_before(by_month: pd.DataFrame) -> None:
    before, actual = metric_charts.trend(by_month, OVERDUE, "en")["data"]
    assert len(actual["x"]) == 24  # months 7 … 30 of 30
    assert actual["x"][-1] == "2026-06-30"
    assert before["y"][-1] == 0.17  # June 2025 is month 18: 17 / 100
    assert before["y"][0] is None  # July 2023 is before the first month


def test_small_multiples_share_one_scale(by_month: pd.DataFrame) -> None:
    frame = pd.concat(
        [by_month.assign(**{"class": "A"}), by_month.assign(**{"class": "B", "value": 0.001})]
    )
    page = metric_charts.multiples(frame, OVERDUE, "class", NAMES, "en", order="AB")["layout"]
    assert page["yaxis"]["range"] == page["yaxis2"]["range"]


def test_ticks_are_round_and_cover_the_data() -> None:
    assert ticks(0, 0.083, 4) == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])


def test_a_gap_in_a_sparkline_stays_a_gap() -> None:
    drawing = sparkline([1, 2, None, 3], "x", "#000000").split("base64,")[1].rstrip('">')
    assert base64.b64decode(drawing).count(b"M") == 2


def test_a_sparkline_escapes_its_description() -> None:
    assert "<script" not in sparkline([1, 2], '"><script>', "#000000")


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colours (WCAG 2.2, 1.4.3)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tone", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_of_text_is_readable_on_its_paper(tone: Theme) -> None:
    for colour in (tone.ink, tone.grey, tone.accent, tone.good, tone.bad):
        assert contrast(colour, tone.paper) >= 4.5


def test_a_label_that_would_lie_on_the_line_of_the_whole_stands_within_its_bar() -> None:
    frame = pd.DataFrame(
        {
            "family": list("abc"),
            "numerator": [90.0, 50, 10],
            "denominator": [100.0] * 3,
            "value": [0.9, 0.5, 0.1],
            "n": [100] * 3,
        }
    )
    bars = metric_charts.bars(frame, OVERDUE, "family", {}, "en", whole=0.55)["data"][0]
    # The scale ends at 118 %. A label is some 9 points wide: that of 50 % would reach over 55 %.
    assert bars["textposition"] == ["outside", "inside", "outside"]


@pytest.fixture
def effects() -> Figure:
    # by hand: A rises by 0.2 pp through its rate and 0.1 pp through mix; C is new, all mix
    parts = pd.DataFrame(
        {
            "class": ["A", "C"],
            "value_before": [0.02, float("nan")],
            "value": [0.03, 0.05],
            "n_before": [90, 0],
            "n": [100, 40],
            "share_before": [1.0, 0.0],
            "share": [0.8, 0.2],
            "rate_effect": [0.002, 0.0],
            "mix_effect": [0.001, 0.004],
            "effect": [0.003, 0.004],
            "state": ["", "new"],
        }
    )
    totals = {"rate_effect": 0.002, "mix_effect": 0.005, "effect": 0.007}
    return change_charts.effects(parts, totals, OVERDUE, "class", NAMES, "en")


def test_a_bridge_shows_both_effects_as_bars_and_their_sum_as_figures(effects: Figure) -> None:
    rate, mix, both = effects["data"]
    assert (rate["x"], mix["x"]) == ([0.002, 0.0, 0.002], [0.001, 0.004, 0.005])
    assert both["text"] == ["+0.30", "+0.40", "<b>+0.70</b>"]


def test_a_part_that_is_new_is_named_so_in_the_bridge(effects: Figure) -> None:
    assert effects["layout"]["yaxis"]["ticktext"] == ["甲", "丙 (new)", "<b>Total</b>"]


def test_the_points_of_a_curve_name_their_cell() -> None:
    frame = pd.DataFrame({"part": ["A", "A"], "month": [0, 1], "value": [0.0, 0.1], "n": [50, 50]})
    line = curve_charts.curves(frame, "month", NAMES, {}, "en")["data"][0]
    assert line["customdata"] == [["A", "0"], ["A", "1"]]
    assert "markers" in line["mode"]
