"""The overview: tiles with target and red line, the tier board, the bridge, the alerts."""

from datetime import date

import pytest

from analytics.analysis.attribution import bridge
from analytics.i18n.text import LANGUAGES, change, number, say
from analytics.metrics import query, targets
from analytics.metrics.definitions import METRICS
from analytics.metrics.question import Question
from analytics.presentation.theme import bar_svg
from data.editions.reader import Warehouse
from pages.parts.sections.overview import BOARD_METRICS, KPI_METRICS
from tests.support.page_text import OpenPage, page_html

LAST = date(2026, 10, 31)
BEFORE = date(2026, 9, 30)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_of_the_six_tiles_prints_value_target_and_red_line(
    app: OpenPage, bank: Warehouse, lang: str
) -> None:
    body = page_html(app(lang=lang))
    for metric in KPI_METRICS:
        definition = METRICS[metric]
        row = targets.with_targets(bank, Question(metric, LAST)).iloc[0]
        assert f'<p class="lp-value">{number(row["value"], definition.unit, lang)}</p>' in body
        assert (
            f"{say('tile.target', lang)} {number(row['target'], definition.unit, lang)}</td>"
            in body
        )
        gap = change(row["to_target"], definition.unit, definition.better, lang)
        assert str(gap) in body
        size = change(row["to_red_line"], definition.unit, "higher", lang).words[1:]
        beyond = row["to_red_line"] < 0
        assert say("tile.beyond" if beyond else "tile.left", lang, size=size) in body


def test_the_tile_of_customers_names_the_balance_and_that_of_npl_the_deviation(
    app: OpenPage, bank: Warehouse
) -> None:
    body = page_html(app())
    for metric, name in (("balance", "贷款余额"), ("recognition_deviation", "逾期90+偏离度")):
        value = query.ask(bank, Question(metric, LAST)).iloc[0]["value"]
        assert f"{name} {number(value, METRICS[metric].unit, 'zh-CN')} · 环比" in body


def test_a_branch_has_its_own_targets_and_another_filter_has_none(
    app: OpenPage, bank: Warehouse
) -> None:
    where = (("branch_1", ("06",)),)
    row = targets.with_targets(bank, Question("overdue_rate_30", LAST, where=where)).iloc[0]
    assert f"较目标 {row['target']:.2%}</td>" in page_html(app(branch="06"))
    body = page_html(app(f__payroll="yes"))
    assert "较目标 " not in body
    assert say("tile.narrowed", "zh-CN") in body


def test_the_board_shows_the_share_of_customers_and_how_it_changed(
    app: OpenPage, bank: Warehouse
) -> None:
    board = app().dataframe[0].value
    now, then = (
        query.ask(bank, Question("customers", day, by=("class",))).set_index("class")["value"]
        for day in (LAST, BEFORE)
    )
    # the tiers in the order of the board, then the whole
    assert list(board["customers:share"])[:-1] == pytest.approx(list(now / now.sum()))
    gap = now / now.sum() - (then / then.sum()).reindex(now.index).fillna(0)
    assert list(board["customers:share_change"])[:-1] == pytest.approx(list(gap))
    trend = board["customers:share_trend"].iloc[0]
    assert trend[-1] == pytest.approx(now.iloc[0] / now.sum())
    assert board["customers:share"].iloc[-1] == 1


@pytest.mark.parametrize("metric", BOARD_METRICS)
def test_the_bridge_of_the_selected_metric_is_below_the_board(
    app: OpenPage, bank: Warehouse, metric: str
) -> None:
    table = app(why=metric).dataframe[1].value
    result = bridge(bank, Question(metric, LAST, by=("class",)), BEFORE)
    definition = METRICS[metric]
    effects = ("effect",) if result.rate is None else ("rate_effect", "mix_effect")
    for effect in effects:
        words = [
            change(float(value), definition.unit, definition.better, "zh-CN", bare=True).words
            for value in [*result.parts[effect], result.parts[effect].sum()]
        ]
        assert list(table[effect]) == words
    assert table["n"].iloc[-1] == f"{int(result.whole['n_before']):,} → {int(result.whole['n']):,}"


def test_at_most_five_alerts_are_listed_and_each_opens_its_list(
    app: OpenPage, bank: Warehouse
) -> None:
    test = app()
    breaches = targets.breaches(bank, Question("customers", LAST), "branch_1")
    alerts = [button for button in test.button if button.key and button.key.startswith("alert_")]
    assert len(alerts) == min(5, len(breaches))
    first = breaches.iloc[0]
    alerts[0].click().run()
    cell = {"branch_1": first["branch"]} if first["branch"] else {}
    answer = query.ask(bank, Question(first["metric"], LAST, by=tuple(cell)))
    n = (
        answer.loc[answer["branch_1"] == first["branch"], "n"].iloc[0]
        if cell
        else answer["n"].iloc[0]
    )
    assert f"共 {int(n):,} " in page_html(test)


def test_a_list_of_a_tier_leads_to_the_tier_branch_by_branch(app: OpenPage) -> None:
    test = app(open="overdue_rate_30", cell="class:C", vs="yoy")
    (link,) = (
        link.proto
        for link in test.get("page_link")
        if link.proto.label == say("drill.down", "zh-CN")
    )
    assert link.page == "tiers"
    assert all(part in link.query_string for part in ("tier=C", "metric=overdue_rate_30", "vs=yoy"))


def test_bars_in_a_table_start_from_zero_on_one_scale() -> None:
    from base64 import b64decode

    def svg(value: float) -> str:
        return b64decode(bar_svg(value, -1, 3, "#000", "#ccc", width=42).split(",")[1]).decode()

    # 40 units for −1 … 3: zero lies at 1 + 10; 2 reaches 20 to its right, −1 reaches 10 to its left
    assert 'x="11.0" y="4" width="20.0"' in svg(2)
    assert 'x="1.0" y="4" width="10.0"' in svg(-1)
