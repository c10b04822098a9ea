"""Headlines and KPI tiles in words, from answers of `ask` written by hand."""

import pandas as pd
import pytest

from analytics.metrics.targets import Target
from pages.parts.widgets import headlines
from pages.parts.widgets.kpi_tiles import Tile, face
from pages.parts.widgets.text import escape_markdown


@pytest.fixture
def row() -> pd.Series:
    # 30 late of 1,000: 3.00 %; a month before 2.50 %, so half a point more.
    return pd.Series(
        {"numerator": 30.0, "denominator": 1000.0, "value": 0.03, "n": 400, "change": 0.005}
    )


def test_a_fact_names_month_value_and_change(row: pd.Series) -> None:
    sentence = headlines.level("overdue_rate_30", row, "2026-10-31", "mom", "zh-CN")
    assert sentence == "2026年10月，逾期30+率为 3.00%，较上月上升 0.50 百分点"


def test_a_fall_has_no_minus_sign(row: pd.Series) -> None:
    sentence = headlines.level("overdue_rate_30", row.replace(0.005, -0.005), None, "yoy", "en")
    assert sentence == "Overdue 30+ rate 3.00%, down 0.50 pp on the same month last year"


def test_a_change_that_rounds_to_nothing_is_unchanged(row: pd.Series) -> None:
    sentence = headlines.level("overdue_rate_30", row.replace(0.005, 0.00001), None, "mom", "en")
    assert sentence.endswith("unchanged on the month before")


def test_a_small_sample_gives_no_judgement(row: pd.Series) -> None:
    few = row.replace(400, 29)
    sentence = headlines.level("overdue_rate_30", few, "2026-10-31", "mom", "zh-CN")
    assert sentence == "逾期30+率样本不足（n = 29），无法判断"


def test_a_missing_answer_gives_no_sentence() -> None:
    sentence = headlines.level("overdue_rate_30", None, None, "mom", "en")
    assert headlines.join_facts([sentence], "en") == ""


def test_a_tile_shows_a_rise_of_overdue_in_the_colour_of_bad_with_arrow_and_word(
    row: pd.Series,
) -> None:
    tile = face(Tile("overdue_rate_30", row, 0.005, None, [0.02, 0.03]), "en")
    assert 'style="color:#b3261e">▲ +0.50 pp<span class="lp-hidden"> worse</span>' in tile
    assert "n = 400" in tile


def test_a_tile_of_a_small_sample_is_grey_and_says_so(row: pd.Series) -> None:
    tile = face(Tile("overdue_rate_30", row.replace(400, 12), None, None, []), "zh-CN")
    assert 'class="lp-tile lp-few"' in tile
    assert "样本不足" in tile


def test_a_tile_shows_its_gap_to_a_target_and_its_distance_to_the_red_line(row: pd.Series) -> None:
    # 3.00 % against a target of 2.50 %: half a point too much; two points to the red line of 5 %
    tile = face(Tile("overdue_rate_30", row, None, None, [], target=Target(0.025, 0.05)), "en")
    assert 'vs target 2.50%</td><td style="color:#b3261e">▲ +0.50 pp' in tile
    assert 'red line 5.00%</td><td style="color:inherit">2.00 pp left' in tile


def test_a_tile_beyond_its_red_line_says_so_in_the_colour_of_bad(row: pd.Series) -> None:
    tile = face(Tile("overdue_rate_30", row, None, None, [], target=Target(None, 0.02)), "zh-CN")
    assert '<td style="color:#b3261e">越线 1.00 百分点' in tile


def test_a_tile_without_target_and_red_line_invents_none(row: pd.Series) -> None:
    tile = face(Tile("overdue_rate_30", row, None, None, []), "zh-CN")
    assert "目标" not in tile
    assert "红线" not in tile


def test_a_tile_with_a_red_line_alone_says_that_no_target_is_set(row: pd.Series) -> None:
    tile = face(Tile("overdue_rate_30", row, None, None, [], target=Target(None, 0.05)), "zh-CN")
    assert "较目标</td>" in tile
    assert tile.count("未设") == 1


def test_a_tile_without_a_value_still_names_its_red_line(row: pd.Series) -> None:
    nothing = row.replace(0.03, float("nan"))
    tile = face(Tile("npl_ratio", nothing, None, None, [], target=Target(None, 0.05)), "zh-CN")
    assert "距红线 5.00%</td>" in tile
    assert tile.count("未设") == 1


def test_a_tile_names_a_second_figure_beside_the_first(row: pd.Series) -> None:
    tile = face(
        Tile("npl_ratio", row, None, None, [], second=("recognition_deviation", row)), "zh-CN"
    )
    assert "逾期90+偏离度 3.00% · 环比" in tile


def test_a_tile_without_an_answer_gives_the_reason_escaped() -> None:
    tile = face(Tile("overdue_rate_30", None, None, None, (), "<b>no data</b>"), "en")
    assert "&lt;b&gt;no data" in tile
    assert "—" in tile


def test_a_name_from_the_data_is_no_markdown_in_a_label() -> None:
    assert escape_markdown("![x](http://evil)") == r"\!\[x\]\(http\://evil\)"
