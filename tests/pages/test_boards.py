"""The boards of the pages: every figure is the answer to a question, clicks open what was counted, gaps are named."""

import json
import shutil
import subprocess
import sys
from datetime import date

import pytest

from analytics.analysis.invariants import _made, checks
from analytics.i18n.text import LANGUAGES, number, say
from analytics.metrics import drilldown, load_report, query
from analytics.metrics.definitions import METRICS
from analytics.metrics.query import Question, shares
from tests.conftest import ROOT
from tests.support.page_text import charts, marks, printed

LAST = date(2026, 10, 31)


@pytest.fixture(scope="module")
def bare_home(tmp_path_factory):
    """A bank that delivers nothing but customers, loans and their history, 13 months of it."""
    base = tmp_path_factory.mktemp("bare")
    run(
        "demo",
        "--customers",
        "300",
        "--months",
        "13",
        "--seed",
        "3",
        "--to",
        str(base / "delivery"),
    )
    manifest = json.loads((base / "delivery" / "manifest.json").read_text())
    kept = {"customer", "loan", "instalment", "payment", "branch", "product", "manager"}
    manifest["tables"] = {name: told for name, told in manifest["tables"].items() if name in kept}
    (base / "delivery" / "manifest.json").write_text(json.dumps(manifest))
    for file in (base / "delivery").glob("*.parquet"):
        if file.stem.split(".")[0] not in kept:
            file.unlink()
    run("load", str(base / "delivery"), "--source", "contract", "--home", str(base / "home"))
    yield base / "home"
    shutil.rmtree(base)


def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", "data", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def asked(bank, metric, by=(), **more):
    answer = query.ask(bank, Question(metric, LAST, by=by, **more))
    return (
        dict(zip(answer[by[-1]], answer["value"], strict=True)) if by else answer["value"].iloc[0]
    )


def test_a_bank_without_targets_sees_none_invented_and_which_table_would_fill_them(app, bare_home):
    said = printed(app(home=bare_home))
    assert say("tile.absent", "zh-CN") in said
    assert "较目标 " not in said
    assert "未达目标 " not in said


def test_a_line_in_a_cell_leaves_out_months_without_a_value(app, bare_home):
    board = app(home=bare_home).dataframe[0].value
    lines = [
        line
        for column in board
        if column.endswith("trend")
        for line in board[column]
        if line is not None
    ]
    assert lines
    assert all(value == value for line in lines for value in line)


def test_the_tier_board_prints_the_answers_with_their_n(app, bank):
    board = app("overall/tiers").dataframe[0].value
    answer = query.ask(bank, Question("overdue_rate_30", LAST, by=("class",), compare="mom"))
    assert list(board["overdue_rate_30:value"])[:-1] == pytest.approx(list(answer["value"]))
    assert list(board["overdue_rate_30:n"])[:-1] == list(answer["n"])
    assert list(board["overdue_rate_30:change"])[:-1] == pytest.approx(
        list(answer["change"]), nan_ok=True
    )


def test_the_shares_of_the_tiers_are_shares_of_the_whole_bank(app, bank):
    board = app("overall/tiers").dataframe[0].value
    customers = asked(bank, "customers", ("class",))
    assert list(board["customers:share"])[:-1] == pytest.approx(
        [n / sum(customers.values()) for n in customers.values()]
    )
    assert board["customers:share"].iloc[-1] == 1


def test_the_shares_of_the_tiers_over_time_end_at_those_of_the_board(app, bank):
    balances = asked(bank, "balance", ("class",))
    lines = charts(app("overall/tiers"))[2]["data"]
    last = {line["customdata"][-1][0]: line["y"][-1] for line in lines}
    assert last == pytest.approx(
        {code: held / sum(balances.values()) for code, held in balances.items()}
    )


def test_gains_and_losses_that_cancel_have_no_share():
    assert shares([30.0, 10.0], 40.0) == [0.75, 0.25]
    assert shares([0.0], 0.0) == [None]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_todays_tier_is_labelled_as_such(app, lang):
    assert say("tiers.today", lang) in printed(app("overall/tiers", lang=lang, opening="0"))
    assert say("tiers.today", lang) not in printed(app("overall/tiers", lang=lang))


def test_branches_within_a_tier_are_those_customers_only(app, bank):
    test = app("overall/tiers", tier="B")
    wanted = asked(bank, "overdue_rate_30", ("branch_1",), where=(("class", ("B",)),))
    assert marks(charts(test)[1]) == pytest.approx(wanted)


def test_below_a_branch_come_its_own_branches(app, bank):
    first = next(iter(asked(bank, "customers", ("branch_1",))))
    test = app("overall/overdue", branch=first)
    wanted = asked(bank, "overdue_rate_30", ("branch_2",), where=(("branch_1", (first,)),))
    assert marks(charts(test)[-1]) == pytest.approx(wanted)


def test_a_cell_of_tier_and_branch_opens_its_n(app, bank):
    answer = query.ask(bank, Question("overdue_rate_30", LAST, by=("class", "branch_1")))
    cell = answer.iloc[3]
    test = app(
        "overall/tiers",
        open="overdue_rate_30",
        cell=f"class:{cell['class']}~branch_1:{cell['branch_1']}",
    )
    assert f"共 {int(cell['n']):,} 笔" in printed(test)


@pytest.mark.parametrize(
    ("days", "by", "metric"),
    [
        ("30", "balance", "overdue_rate_30"),
        ("0", "balance", "overdue_rate"),
        ("90", "customers", "overdue_rate_90_customers"),
        ("60", "loans", "overdue_rate_60_loans"),
        ("30", "written_off", "overdue_rate_30_with_written_off"),
    ],
)
def test_the_overdue_page_counts_as_the_reader_chose(app, bank, days, by, metric):
    test = app("overall/overdue", days=days, by=by)
    assert marks(charts(test)[1]) == pytest.approx(asked(bank, metric, ("class",)))
    assert number(asked(bank, metric), "rate", "zh-CN") in printed(test)


def test_written_off_is_only_declared_over_thirty_days_and_the_page_says_so(app):
    assert say("overdue.written_off_30", "zh-CN") in printed(
        app("overall/overdue", days="90", by="written_off")
    )


def test_the_buckets_hold_all_that_is_late(app, bank):
    late = marks(charts(app("overall/overdue"))[2])
    answer = query.ask(bank, Question("overdue_rate", LAST)).iloc[0]
    assert sum(late.values()) == pytest.approx(answer["numerator"])
    assert "m0" not in late


@pytest.mark.parametrize("days", ["30", "90", "180", "365"])
def test_the_reloan_page_prints_window_definition_and_rate(app, bank, days):
    said = printed(app("overall/reloan", window=days, lang="en"))
    metric = METRICS[f"reloan_rate_{days}"]
    assert metric.meaning["en"] in said
    assert f'<p class="lp-value">{number(asked(bank, metric.id), "rate", "en")}</p>' in said


def test_the_waterfall_steps_from_interest_to_net(app, bank):
    bars = charts(app("overall/contribution"))[0]["data"][0]
    lengths = dict(zip((mark[0] for mark in bars["customdata"]), bars["x"], strict=True))
    assert lengths["contribution_net"] == pytest.approx(asked(bank, "contribution_net"))
    # gross 100 = 80 + 5 + 15; net 40 = 100 − 45 − 10 − 5: the bar before a total ends where the total ends.
    for total, last in (
        ("contribution_gross", "contribution_deposits"),
        ("contribution_net", "cost_operating"),
    ):
        place = [mark[0] for mark in bars["customdata"]].index(last)
        assert bars["base"][place] + bars["x"][place] == pytest.approx(lengths[total], abs=0.01)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_assumptions_are_printed_beside_contribution(app, lang):
    said = printed(app("overall/contribution", lang=lang))
    assert "2.40%" in said
    assert "55.00%" in said
    assert say("assumed.lgd_unsecured", lang) in said


def test_a_filter_that_does_not_fit_is_named_and_the_rest_works(app, bank):
    test = app("overall/tiers", f__channel="partner", lang="en")
    wanted = say("words.unfit", "en", metric=METRICS["customers"].name["en"], splits="Channel")
    assert wanted in printed(test)
    board = test.dataframe[0].value
    whole = asked(bank, "overdue_rate_30", where=(("channel", ("partner",)),))
    assert board["overdue_rate_30:value"].iloc[-1] == pytest.approx(whole)


def test_a_split_that_would_count_twice_is_not_offered(app):
    said = printed(app("overall/reloan", lang="en"))
    assert "is not split by Product, Channel, Guarantee" in said


def test_an_unknown_switch_in_the_address_is_replaced_and_said(app):
    test = app("overall/tiers", metric="fortune", lang="en")
    assert "“fortune”, using “Overdue 30+ rate”" in test.info[0].value


def test_a_bank_without_deposits_and_fees_sees_what_is_missing(app, bare_home):
    test = app("overall/contribution", home=bare_home, lang="en")
    said = printed(test)
    assert "(income)" in said
    assert "(deposit_balance)" in said
    assert not charts(test)
    test = app("about/data", home=bare_home, lang="en")
    absent = next(frame.value for frame in test.dataframe if "Would fill" in frame.value)
    filled = dict(zip(absent["Table"], absent["Would fill"], strict=True))
    assert METRICS["deposit_penetration"].name["en"] in filled["deposit_balance"]
    assert "payment" not in filled
    assert "loan_snapshot" not in filled


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_data_page_prints_each_invariant_with_a_word(app, lang):
    board = app("about/data", lang=lang).dataframe[0].value
    assert list(board.iloc[:, 0]) == ["1", "2", "3", "4", "5", "6", "10"]
    assert set(board.iloc[:, 2]) == {say("check.holds", lang)}


def test_every_invariant_was_compared_on_this_bank(bank):
    assert all(check.cases > 0 and check.holds for check in checks(bank, LAST))


def test_an_invariant_that_does_not_hold_fails_and_names_the_case():
    broken = _made(
        1, iter([("balance abcd 2026-10", 10.0, 10.0, True), ("x 2026-09", 9.0, 8.0, False)])
    )
    assert broken.holds is False
    assert (broken.cases, broken.failed) == (2, ("x 2026-09: 9.00 / 8.00",))
    assert _made(1, iter([])).holds is None


def test_the_ledger_balances_read_against_loaded_rejected_and_skipped(app, bank):
    ledger = load_report.reconciliation(bank)
    assert ledger["balanced"].all()
    loans = ledger[ledger["table"] == "loan"].iloc[0]
    assert loans["loaded"] == bank.one("select count(*) from loan")[0]
    assert (
        number(loans["read"], "count", "en")
        in app("about/data", lang="en").dataframe[2].value["Read"].tolist()
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_definitions_page_holds_every_metric_in_force(app, lang):
    listed = set(app("about/definitions", lang=lang).dataframe[0].value.iloc[:, 0])
    assert listed == {metric.name[lang] for metric in METRICS.values() if not metric.retired}


def test_the_definitions_page_shows_the_query_of_the_metric_picked(app):
    test = app("about/definitions", metric="coverage", lang="en")
    assert METRICS["coverage"].formula["en"] in printed(test)
    assert "is_npl" in test.code[0].value


def test_the_list_behind_a_cell_is_masked(bank):
    names = drilldown.list_rows(
        bank, Question("customers", LAST, by=("class",)), {"class": "B"}, limit=50
    )["name"]
    assert names.str.contains("*", regex=False).all()


def test_a_bank_of_one_month_opens_with_todays_tier(app, tmp_path_factory):
    base = tmp_path_factory.mktemp("young")
    run(
        "demo", "--customers", "200", "--months", "1", "--seed", "3", "--to", str(base / "delivery")
    )
    run("load", str(base / "delivery"), "--source", "contract", "--home", str(base / "home"))
    for page in ("tiers", "overdue", "reloan", "contribution"):
        said = printed(app(f"overall/{page}", home=base / "home"))
        assert say("head.opening_0_note", "zh-CN") in said
