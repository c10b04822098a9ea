"""The boards of the pages: every figure is the answer to a question, a click lists its rows."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analytics.analysis.invariants import Comparison, check_of, checks
from analytics.i18n.text import LANGUAGES, number, say
from analytics.metrics import drilldown, load_report, query
from analytics.metrics.definitions import METRICS
from analytics.metrics.query import shares
from analytics.metrics.question import Question
from data.editions.reader import Warehouse
from tests.conftest import ROOT
from tests.support.page_text import OpenPage, charts, marks, page_html

LAST = date(2026, 10, 31)


@pytest.fixture(scope="module")
def bare_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bank that delivers nothing but customers, loans and their history, 13 months of it."""
    base = tmp_path_factory.mktemp("bare")
    make_delivery(base / "delivery", customers=300, months=13)
    manifest = json.loads((base / "delivery" / "manifest.json").read_text())
    tables = {"customer", "loan", "instalment", "payment", "branch", "product", "manager"}
    manifest["tables"] = {
        name: entry for name, entry in manifest["tables"].items() if name in tables
    }
    (base / "delivery" / "manifest.json").write_text(json.dumps(manifest))
    for file in (base / "delivery").glob("*.parquet"):
        if file.stem.split(".")[0] not in tables:
            file.unlink()
    run("load", str(base / "delivery"), "--source", "contract", "--home", str(base / "home"))
    yield base / "home"
    shutil.rmtree(base)


def run(*command: str) -> None:
    """Run python -m data."""
    process = subprocess.run(
        [sys.executable, "-m", "data", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-2000:]


def make_delivery(folder: Path, customers: int, months: int) -> None:
    """Write the delivery of an invented bank (seed 3)."""
    sizes = ("--customers", str(customers), "--months", str(months))
    run("demo", *sizes, "--seed", "3", "--to", str(folder))


def value_of(bank: Warehouse, metric: str, **parts: Any) -> float:
    """Return the value of the whole; `parts` are fields of the question."""
    return query.ask(bank, Question(metric, LAST, **parts))["value"].iloc[0]


def values_by(bank: Warehouse, metric: str, dimension: str, **parts: Any) -> dict[str, float]:
    """Return code → value of a dimension; `parts` are fields of the question."""
    answer = query.ask(bank, Question(metric, LAST, by=(dimension,), **parts))
    return dict(zip(answer[dimension], answer["value"], strict=True))


def test_without_targets_none_is_invented_and_the_missing_table_is_named(
    app: OpenPage, bare_home: Path
) -> None:
    body = page_html(app(home=bare_home))
    assert say("tile.absent", "zh-CN") in body
    assert "较目标 " not in body
    assert "未达目标 " not in body


def test_a_line_in_a_cell_leaves_out_months_without_a_value(app: OpenPage, bare_home: Path) -> None:
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


def test_the_tier_board_prints_the_answers_with_their_n(app: OpenPage, bank: Warehouse) -> None:
    board = app("overall/tiers").dataframe[0].value
    answer = query.ask(bank, Question("overdue_rate_30", LAST, by=("class",), compare="mom"))
    assert list(board["overdue_rate_30:value"])[:-1] == pytest.approx(list(answer["value"]))
    assert list(board["overdue_rate_30:n"])[:-1] == list(answer["n"])
    assert list(board["overdue_rate_30:change"])[:-1] == pytest.approx(
        list(answer["change"]), nan_ok=True
    )


def test_the_shares_of_the_tiers_are_shares_of_the_whole_bank(
    app: OpenPage, bank: Warehouse
) -> None:
    board = app("overall/tiers").dataframe[0].value
    customers = values_by(bank, "customers", "class")
    assert list(board["customers:share"])[:-1] == pytest.approx(
        [n / sum(customers.values()) for n in customers.values()]
    )
    assert board["customers:share"].iloc[-1] == 1


def test_the_shares_of_the_tiers_over_time_end_at_those_of_the_board(
    app: OpenPage, bank: Warehouse
) -> None:
    balances = values_by(bank, "balance", "class")
    lines = charts(app("overall/tiers"))[2]["data"]
    last = {line["customdata"][-1][0]: line["y"][-1] for line in lines}
    assert last == pytest.approx(
        {code: balance / sum(balances.values()) for code, balance in balances.items()}
    )


def test_gains_and_losses_that_cancel_have_no_share() -> None:
    assert shares([30.0, 10.0], 40.0) == [0.75, 0.25]
    assert shares([0.0], 0.0) == [None]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_todays_tier_is_labelled_as_such(app: OpenPage, lang: str) -> None:
    assert say("tiers.today", lang) in page_html(app("overall/tiers", lang=lang, opening="0"))
    assert say("tiers.today", lang) not in page_html(app("overall/tiers", lang=lang))


def test_branches_within_a_tier_are_those_customers_only(app: OpenPage, bank: Warehouse) -> None:
    test = app("overall/tiers", tier="B")
    expected = values_by(bank, "overdue_rate_30", "branch_1", where=(("class", ("B",)),))
    assert marks(charts(test)[1]) == pytest.approx(expected)


def test_below_a_branch_come_its_own_branches(app: OpenPage, bank: Warehouse) -> None:
    first = next(iter(values_by(bank, "customers", "branch_1")))
    test = app("overall/overdue", branch=first)
    expected = values_by(bank, "overdue_rate_30", "branch_2", where=(("branch_1", (first,)),))
    assert marks(charts(test)[-1]) == pytest.approx(expected)


def test_a_cell_of_tier_and_branch_opens_its_n(app: OpenPage, bank: Warehouse) -> None:
    answer = query.ask(bank, Question("overdue_rate_30", LAST, by=("class", "branch_1")))
    cell = answer.iloc[3]
    test = app(
        "overall/tiers",
        open="overdue_rate_30",
        cell=f"class:{cell['class']}~branch_1:{cell['branch_1']}",
    )
    assert f"共 {int(cell['n']):,} 笔" in page_html(test)


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
def test_the_overdue_page_counts_as_the_reader_chose(
    app: OpenPage, bank: Warehouse, days: str, by: str, metric: str
) -> None:
    test = app("overall/overdue", days=days, by=by)
    assert marks(charts(test)[1]) == pytest.approx(values_by(bank, metric, "class"))
    assert number(value_of(bank, metric), "rate", "zh-CN") in page_html(test)


def test_written_off_is_only_declared_over_thirty_days_and_the_page_says_so(app: OpenPage) -> None:
    assert say("overdue.written_off_30", "zh-CN") in page_html(
        app("overall/overdue", days="90", by="written_off")
    )


def test_the_buckets_hold_all_that_is_late(app: OpenPage, bank: Warehouse) -> None:
    late = marks(charts(app("overall/overdue"))[2])
    answer = query.ask(bank, Question("overdue_rate", LAST)).iloc[0]
    assert sum(late.values()) == pytest.approx(answer["numerator"])
    assert "m0" not in late


@pytest.mark.parametrize("days", ["30", "90", "180", "365"])
def test_the_reloan_page_prints_window_definition_and_rate(
    app: OpenPage, bank: Warehouse, days: str
) -> None:
    body = page_html(app("overall/reloan", window=days, lang="en"))
    metric = METRICS[f"reloan_rate_{days}"]
    assert metric.meaning["en"] in body
    assert f'<p class="lp-value">{number(value_of(bank, metric.id), "rate", "en")}</p>' in body


def test_the_waterfall_steps_from_interest_to_net(app: OpenPage, bank: Warehouse) -> None:
    bars = charts(app("overall/contribution"))[0]["data"][0]
    lengths = dict(zip((mark[0] for mark in bars["customdata"]), bars["x"], strict=True))
    assert lengths["contribution_net"] == pytest.approx(value_of(bank, "contribution_net"))
    # gross 100 = 80 + 5 + 15; net 40 = 100 − 45 − 10 − 5:
    # the bar before a total ends where the total ends.
    for total, last in (
        ("contribution_gross", "contribution_deposits"),
        ("contribution_net", "cost_operating"),
    ):
        place = [mark[0] for mark in bars["customdata"]].index(last)
        assert bars["base"][place] + bars["x"][place] == pytest.approx(lengths[total], abs=0.01)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_assumptions_are_printed_beside_contribution(app: OpenPage, lang: str) -> None:
    body = page_html(app("overall/contribution", lang=lang))
    assert "2.40%" in body
    assert "55.00%" in body
    assert say("assumed.lgd_unsecured", lang) in body


def test_an_unsupported_filter_is_named_and_the_rest_works(app: OpenPage, bank: Warehouse) -> None:
    test = app("overall/tiers", f__channel="partner", lang="en")
    expected = say("words.unfit", "en", metric=METRICS["customers"].name["en"], splits="Channel")
    assert expected in page_html(test)
    board = test.dataframe[0].value
    whole = value_of(bank, "overdue_rate_30", where=(("channel", ("partner",)),))
    assert board["overdue_rate_30:value"].iloc[-1] == pytest.approx(whole)


def test_a_dimension_that_would_count_twice_is_not_offered(app: OpenPage) -> None:
    body = page_html(app("overall/reloan", lang="en"))
    assert "is not split by Product, Channel, Guarantee" in body


def test_an_unknown_page_parameter_is_replaced_with_a_notice(app: OpenPage) -> None:
    test = app("overall/tiers", metric="fortune", lang="en")
    assert "“fortune”, using “Overdue 30+ rate”" in test.info[0].value


def test_without_deposits_and_fees_the_missing_tables_are_named(
    app: OpenPage, bare_home: Path
) -> None:
    test = app("overall/contribution", home=bare_home, lang="en")
    body = page_html(test)
    assert "(income)" in body
    assert "(deposit_balance)" in body
    assert not charts(test)
    test = app("about/data", home=bare_home, lang="en")
    table = next(frame.value for frame in test.dataframe if "Would fill" in frame.value)
    metrics = dict(zip(table["Table"], table["Would fill"], strict=True))
    assert METRICS["deposit_penetration"].name["en"] in metrics["deposit_balance"]
    assert "payment" not in metrics
    assert "loan_snapshot" not in metrics


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_data_page_prints_each_invariant_with_a_word(app: OpenPage, lang: str) -> None:
    board = app("about/data", lang=lang).dataframe[0].value
    assert list(board.iloc[:, 0]) == ["1", "2", "3", "4", "5", "6", "10", "11"]
    assert set(board.iloc[:, 2]) == {say("check.holds", lang)}


def test_every_invariant_was_compared_on_this_bank(bank: Warehouse) -> None:
    assert all(check.cases > 0 and check.holds for check in checks(bank, LAST))


def test_an_invariant_that_does_not_hold_fails_and_names_the_case() -> None:
    comparisons = [
        Comparison("balance abcd 2026-10", 10.0, 10.0, True),
        Comparison("x 2026-09", 9.0, 8.0, False),
    ]
    broken = check_of(1, iter(comparisons))
    assert broken.holds is False
    assert (broken.cases, broken.failed) == (2, ("x 2026-09: 9.00 / 8.00",))
    assert check_of(1, iter([])).holds is None


def test_the_ledger_balances_read_against_loaded_rejected_and_skipped(
    app: OpenPage, bank: Warehouse
) -> None:
    ledger = load_report.reconciliation(bank)
    assert ledger["balanced"].all()
    loans = ledger[ledger["table"] == "loan"].iloc[0]
    assert (loans["loaded"],) == bank.one("select count(*) from loan")
    frames = [frame.value for frame in app("about/data", lang="en").dataframe]
    table = next(frame for frame in frames if "Read" in frame)
    assert number(loans["read"], "count", "en") in table["Read"].tolist()


def test_rows_refused_in_raw_files_are_among_the_rows_read() -> None:
    # A file of 100 rows, 94 refused, 6 mapped to 6 loans and 5 customers, 1 loan refused:
    # read 94 + 6 + 5 = loaded 5 + 5 + rejected 94 + 1
    columns = ["is_file", "read", "loaded", "rejected", "skipped", "orphans"]
    ledger = pd.DataFrame(
        [(True, 100, 6, 94, 0, 0), (False, 6, 5, 1, 0, 0), (False, 5, 5, 0, 0, 0)], columns=columns
    )
    sums = load_report.row_sums(ledger)
    assert (sums["read"], sums["loaded"], sums["rejected"]) == (105, 10, 95)
    assert sums["read"] == sums["loaded"] + sums["rejected"] + sums["skipped"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_names_the_currency(app: OpenPage, lang: str) -> None:
    unit = {"zh-CN": "金额 元", "en": "amounts in CNY"}[lang]
    assert unit in page_html(app("about/data", lang=lang))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_definitions_page_lists_every_metric_in_use(app: OpenPage, lang: str) -> None:
    names = set(app("about/definitions", lang=lang).dataframe[0].value.iloc[:, 0])
    assert names == {metric.name[lang] for metric in METRICS.values() if not metric.retired}


def test_the_definitions_page_shows_the_query_of_the_selected_metric(app: OpenPage) -> None:
    test = app("about/definitions", metric="coverage", lang="en")
    assert METRICS["coverage"].formula["en"] in page_html(test)
    assert "is_npl" in test.code[0].value


def test_the_list_behind_a_cell_is_masked(bank: Warehouse) -> None:
    names = drilldown.list_rows(
        bank, Question("customers", LAST, by=("class",)), {"class": "B"}, limit=50
    )["name"]
    assert names.str.contains("*", regex=False).all()


def test_a_bank_of_one_month_opens_with_todays_tier(
    app: OpenPage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("young")
    make_delivery(base / "delivery", customers=200, months=1)
    run("load", str(base / "delivery"), "--source", "contract", "--home", str(base / "home"))
    for page in ("tiers", "overdue", "reloan", "contribution"):
        body = page_html(app(f"overall/{page}", home=base / "home"))
        assert say("head.opening_0_note", "zh-CN") in body
