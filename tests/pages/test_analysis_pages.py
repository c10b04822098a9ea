"""The pages of analysis, every board in both languages: they print what the library answers."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from analytics.analysis import cohorts, narrative
from analytics.analysis.attribution import bridge
from analytics.analysis.cohorts import CohortQuery
from analytics.analysis.migration import MigrationQuery, matrix, overdue_rollforward
from analytics.analysis.significance import assess_change
from analytics.i18n.text import LANGUAGES, change, say
from analytics.metrics.definitions import METRICS
from analytics.metrics.drilldown import count_rows, list_rows
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.dates import month_end
from data.editions.reader import Warehouse
from tests.conftest import APP
from tests.support.page_text import OpenPage, charts, page_html

LAST = date(2026, 10, 31)
BEFORE = date(2026, 9, 30)


BOARDS = [
    ("changes", {}),
    ("changes", {"metric": "contribution_net", "by": "age_band", "then": "class"}),
    (
        "changes",
        {
            "metric": "npl_ratio",
            "by": "channel",
            "then": "branch_1",
            "part": "partner",
            "days": "0",
        },
    ),
    ("migration", {"view": "class", "measure": "balance"}),
    ("migration", {"view": "rates"}),
    ("migration", {"view": "bucket", "buckets": "months"}),
    ("migration", {"view": "vintage", "late": "now", "split": "channel", "counted": "loans"}),
    ("migration", {"view": "vintage", "split": "channel", "year": "2026-01-01"}),
    ("migration", {"view": "curve"}),
    ("migration", {"view": "forecast", "by": "bucket"}),
    ("explorer", {}),
    ("explorer", {"view": "heat", "cut": "channel,class"}),
    ("explorer", {"view": "trend", "path": "class:C"}),
    ("explorer", {"view": "bars", "metric": "balance", "path": "class:C~branch_1:03"}),
    ("explorer", {"metric": "borrowers"}),
    ("explorer", {"metric": "bad_rate"}),
]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("page", "address"), BOARDS)
def test_a_board_opens(app: OpenPage, page: str, address: dict[str, str], lang: str) -> None:
    body = page_html(app(f"analysis/{page}", lang=lang, **address))
    assert f'<p class="lp-title">{say(f"page.{page}", lang)}</p>' in body


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sentence_of_the_page_is_that_of_the_command_line(
    app: OpenPage, bank: Warehouse, lang: str
) -> None:
    question = Question("overdue_rate_30", LAST, by=("class",), scheme="abcd")
    sentence = narrative.describe_change(bank, question, BEFORE, lang)
    assert sentence in page_html(app("analysis/changes", lang=lang, scheme="abcd"))


def test_the_bars_of_the_bridge_are_its_effects(app: OpenPage, bank: Warehouse) -> None:
    test = app("analysis/changes", scheme="abcd", by="product")
    parts = bridge(bank, Question("overdue_rate_30", LAST, by=("product",)), BEFORE).parts
    traces = charts(test)[0]["data"]
    for trace, column in zip(traces[:2], ("rate_effect", "mix_effect"), strict=True):
        codes = [mark[0] for mark in trace["customdata"]]
        effects = dict(zip(parts["product"], parts[column], strict=True))
        bars = {code: value for code, value in zip(codes, trace["x"], strict=True) if code}
        assert bars == pytest.approx({code: effects[code] for code in bars})
    effects = dict(zip(parts["product"], parts["effect"], strict=True))
    for mark, words in zip(traces[2]["customdata"], traces[2]["text"], strict=True):
        if mark[0]:
            assert words == change(effects[mark[0]], "rate", "lower", "zh-CN", bare=True).words


def test_the_chips_say_the_verdicts(app: OpenPage, bank: Warehouse) -> None:
    result = assess_change(bank, Question("overdue_rate_30", LAST, by=("class",)), BEFORE)
    body = page_html(app("analysis/changes", scheme="abcd"))
    chips = body[body.index('<p class="lp-chips">') :]
    for code in ("rise", "fall", "noise", "few"):
        expected = int((result.parts["verdict"] == code).sum()) + (result.whole["verdict"] == code)
        assert chips.count(f">{say(f'verdict.{code}', 'zh-CN')}</b>") == expected


@pytest.mark.parametrize("term", ["rolled_in", "cured", "stayed", "closing"])
def test_a_term_of_the_money_bridge_opens_its_loans(
    app: OpenPage, bank: Warehouse, term: str
) -> None:
    result = overdue_rollforward(bank, MigrationQuery(Question("loans", LAST), BEFORE))
    counts = dict(zip(result.terms["term"], result.terms["loans"], strict=True))
    counts["closing"] = result.loans
    assert f"共 {counts[term]:,} 笔借据" in page_html(app("analysis/changes", moved=f"term:{term}"))


def test_a_cell_of_the_matrix_opens_its_customers(app: OpenPage, bank: Warehouse) -> None:
    moves = matrix(bank, MigrationQuery(Question("customers", LAST), BEFORE))
    for row in moves.sort_values("n").tail(2).to_dict("records"):
        cell = f"before:{row['before']}~after:{row['after']}"
        body = page_html(app("analysis/migration", scheme="abcd", moved=cell))
        assert f"共 {row['n']:,} 位客户" in body


def test_a_row_of_the_explorer_opens_exactly_the_n_that_it_printed(
    app: OpenPage, bank: Warehouse
) -> None:
    where = (("class", ("C",)),)
    answer = ask(bank, Question("overdue_rate_30", LAST, by=("branch_1",), where=where))
    row = answer.iloc[0]
    cell = f"class:C~branch_1:{row['branch_1']}"
    test = app("analysis/explorer", scheme="abcd", cut="class,branch_1", path="class:C")
    table = test.dataframe[0].value
    assert f"{int(row['n']):,}" in set(table["n"])
    body = page_html(
        app(
            "analysis/explorer",
            scheme="abcd",
            cut="class,branch_1",
            open="overdue_rate_30",
            cell=cell,
        )
    )
    assert f"共 {int(row['n']):,} 笔借据" in body


@pytest.mark.parametrize(
    ("address", "call", "unit"),
    [
        (
            {"view": "vintage", "moved": "cohort:2025-10-01~month:6"},
            ("vintage", {"month": "6"}),
            "笔借据",
        ),
        (
            {"view": "vintage", "moved": "cohort:2025-10-01~judged:yes"},
            ("first", {"judged": "yes"}),
            "笔借据",
        ),
    ],
)
def test_a_cell_of_a_cohort_opens_its_loans(
    app: OpenPage,
    bank: Warehouse,
    address: dict[str, str],
    call: tuple[str, dict[str, str]],
    unit: str,
) -> None:
    kind, more = call
    n = cohorts.count_rows(
        bank, CohortQuery(Question("loans", LAST), kind), {"cohort": "2025-10-01", **more}
    )
    assert n > 0
    assert f"共 {n:,} {unit}" in page_html(app("analysis/migration", **address))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    metric=st.sampled_from(
        ["overdue_rate_30", "overdue_rate_customers", "npl_ratio", "balance", "reloan_rate_90"]
    ),
    order=st.permutations(
        ["class", "branch_1", "branch_2", "age_band", "credit_grade", "education"]
    ),
    depth=st.integers(1, 3),
    back=st.sampled_from([0, 1, 3]),
    hit=st.booleans(),
    data=st.data(),
)
def test_any_cell_of_the_explorer_opens_exactly_the_n_that_it_printed(
    demo_home: Path,
    metric: str,
    order: list[str],
    depth: int,
    back: int,
    hit: bool,
    data: st.DataObject,
) -> None:
    bank = Warehouse(demo_home, verify="fingerprint")
    try:
        question = Question(metric, month_end(LAST, -back))
        cell: dict[str, str] = {}
        # Down from the whole bank, a level at a time, as the explorer goes.
        for dimension in order[:depth]:
            where = tuple((name, (code,)) for name, code in cell.items())
            level = ask(bank, question.with_changes(by=(dimension,), where=where))
            assume(len(level))
            row = level.iloc[data.draw(st.integers(0, len(level) - 1))]
            cell = cell | {dimension: row[dimension]}
        cell_question = question.with_changes(by=tuple(cell))
        assert (
            count_rows(bank, cell_question, cell)
            == row["n"]
            == len(list_rows(bank, cell_question, cell, limit=10**6))
        )
        if hit and METRICS[metric].numerator_filter and METRICS[metric].counts_rows:
            assert count_rows(bank, cell_question, cell, hit=True) == row["numerator"]
    finally:
        bank.close()


def test_the_totals_of_the_heat_map_are_those_of_each_dimension(
    app: OpenPage, bank: Warehouse
) -> None:
    table = app("analysis/explorer", view="heat", cut="class,branch_1").dataframe[0].value
    whole = ask(bank, Question("overdue_rate_30", LAST)).iloc[0]["value"]
    assert table.iloc[-1, -1] == f"{whole:.2%}"
    by_class = ask(bank, Question("overdue_rate_30", LAST, by=("class",)))
    assert [words.split()[0] for words in table.iloc[:-1, -1]] == [
        f"{value:.2%}" for value in by_class["value"]
    ]


def test_an_empty_selection_says_so_in_every_view_of_the_explorer(
    app: OpenPage, bank: Warehouse
) -> None:
    pairs = {
        (row["channel"], row["product"])
        for row in ask(bank, Question("loans", LAST, by=("channel", "product"))).to_dict("records")
    }
    products = {product for _, product in pairs}
    channel, product = next(
        (c, p) for c, _ in sorted(pairs) for p in sorted(products) if (c, p) not in pairs
    )
    for view in ("table", "bars", "heat", "trend"):
        body = page_html(
            app("analysis/explorer", view=view, f__channel=channel, f__product=product)
        )
        assert "数据不足" in body or say("figure.nobody", "zh-CN") in body


def test_the_part_of_the_largest_cell_is_expanded(app: OpenPage, bank: Warehouse) -> None:
    question = Question("overdue_rate_30", LAST, by=("channel", "branch_1"))
    result = bridge(bank, question, BEFORE)
    assert result.cells is not None
    test = app("analysis/changes", by="channel", then="branch_1")
    inside = charts(test)[1]["data"][0]
    top = result.cells.iloc[0]
    bars = {mark[0]: value for mark, value in zip(inside["customdata"], inside["x"], strict=True)}
    assert bars[top["branch_1"]] == pytest.approx(top["rate_effect"])


def test_with_few_months_the_pages_say_what_is_missing(
    small_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(small_home))
    test = AppTest.from_file(APP, default_timeout=60)
    test.query_params["asof"] = "2025-07-31"
    test.query_params["lang"] = "en"
    test.run()
    for page in ("changes", "migration", "explorer"):
        test.switch_page(f"pages/analysis/{page}.py").run()
        assert not test.exception, (page, test.exception)
    assert "needs more history" in page_html(test) or "no month end" in page_html(test)
