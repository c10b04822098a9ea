"""The overview from the top: six tiles held against target and red line, the tier board, the bridge, the alerts."""

from datetime import date

import pytest

from analytics.analysis.attribution import bridge
from analytics.i18n.text import LANGUAGES, change, number, say
from analytics.metrics import query, targets
from analytics.metrics.definitions import METRICS
from analytics.metrics.query import Question
from analytics.presentation.theme import bar_svg
from pages.parts.sections.overview import BOARD_METRICS, KPI_METRICS
from tests.support.page_text import printed

LAST, BEFORE = date(2026, 10, 31), date(2026, 9, 30)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_of_the_six_tiles_prints_value_and_what_it_is_held_against(app, bank, lang):
    said = printed(app(lang=lang))
    for metric in KPI_METRICS:
        declared = METRICS[metric]
        row = targets.with_targets(bank, Question(metric, LAST)).iloc[0]
        assert f'<p class="lp-value">{number(row["value"], declared.unit, lang)}</p>' in said
        assert (
            f"{say('tile.target', lang)} {number(row['target'], declared.unit, lang)}</td>" in said
        )
        gap = change(row["to_target"], declared.unit, declared.better, lang)
        assert str(gap) in said
        size = change(row["to_red_line"], declared.unit, "higher", lang).words[1:]
        beyond = row["to_red_line"] < 0
        assert say("tile.beyond" if beyond else "tile.left", lang, size=size) in said


def test_the_tile_of_customers_names_the_balance_and_that_of_npl_the_deviation(app, bank):
    said = printed(app())
    for metric, name in (("balance", "贷款余额"), ("recognition_deviation", "逾期90+偏离度")):
        value = query.ask(bank, Question(metric, LAST)).iloc[0]["value"]
        assert f"{name} {number(value, METRICS[metric].unit, 'zh-CN')} · 环比" in said


def test_a_branch_is_held_against_its_own_targets_and_another_filter_against_none(app, bank):
    where = (("branch_1", ("06",)),)
    row = targets.with_targets(bank, Question("overdue_rate_30", LAST, where=where)).iloc[0]
    assert f"较目标 {row['target']:.2%}</td>" in printed(app(branch="06"))
    said = printed(app(f__payroll="yes"))
    assert "较目标 " not in said
    assert say("tile.narrowed", "zh-CN") in said


def test_the_board_shows_the_share_of_customers_and_how_it_changed(app, bank):
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
def test_the_bridge_of_the_metric_picked_stands_below_the_board(app, bank, metric):
    shown = app(why=metric).dataframe[1].value
    found = bridge(bank, Question(metric, LAST, by=("class",)), BEFORE)
    declared = METRICS[metric]
    effects = ("effect",) if found.rate is None else ("rate_effect", "mix_effect")
    for effect in effects:
        words = [
            change(float(value), declared.unit, declared.better, "zh-CN", bare=True).words
            for value in [*found.parts[effect], found.parts[effect].sum()]
        ]
        assert list(shown[effect]) == words
    assert shown["n"].iloc[-1] == f"{int(found.whole['n_before']):,} → {int(found.whole['n']):,}"


def test_at_most_five_alerts_are_listed_and_each_opens_its_list(app, bank):
    test = app()
    found = targets.breaches(bank, Question("customers", LAST), "branch_1")
    alerts = [button for button in test.button if button.key and button.key.startswith("alert_")]
    assert len(alerts) == min(5, len(found))
    first = found.iloc[0]
    alerts[0].click().run()
    cell = {"branch_1": first["branch"]} if first["branch"] else {}
    asked = Question(first["metric"], LAST, by=tuple(cell))
    answer = query.ask(bank, asked)
    n = (
        answer.loc[answer["branch_1"] == first["branch"], "n"].iloc[0]
        if cell
        else answer["n"].iloc[0]
    )
    assert f"共 {int(n):,} " in printed(test)


def test_a_list_of_a_tier_leads_to_the_tier_branch_by_branch(app):
    test = app(open="overdue_rate_30", cell="class:C", vs="yoy")
    (link,) = (
        link.proto
        for link in test.get("page_link")
        if link.proto.label == say("drill.down", "zh-CN")
    )
    assert link.page == "tiers"
    assert all(part in link.query_string for part in ("tier=C", "metric=overdue_rate_30", "vs=yoy"))


def test_bars_in_a_table_start_from_zero_on_one_scale():
    from base64 import b64decode

    def drawn(value):
        return b64decode(bar_svg(value, -1, 3, "#000", "#ccc", width=42).split(",")[1]).decode()

    # 40 units for −1 … 3: zero lies at 1 + 10; 2 reaches 20 to its right, −1 reaches 10 to its left
    assert 'x="11.0" y="4" width="20.0"' in drawn(2)
    assert 'x="1.0" y="4" width="10.0"' in drawn(-1)
