"""The pages of analysis in every view and both languages; what they print is what the library answers."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from analytics.analysis import cohorts, narrative
from analytics.analysis.attribution import bridge
from analytics.analysis.cohorts import CohortQuery
from analytics.analysis.migration import MigrationQuery, flows, matrix
from analytics.analysis.significance import noise
from analytics.i18n.text import LANGUAGES, change, say
from analytics.metrics.definitions import METRICS
from analytics.metrics.drilldown import count_rows, list_rows
from analytics.metrics.query import Question, ask
from data.dates import month_end
from data.editions.reader import Warehouse
from tests.support.page_text import charts, printed

APP = Path(__file__).parents[2] / "app.py"
LAST, BEFORE = date(2026, 10, 31), date(2026, 9, 30)


@pytest.fixture(scope="module")
def bank(demo_home):
    bank = Warehouse(demo_home, verify="stamp")
    yield bank
    bank.close()


@pytest.fixture
def app(demo_home, monkeypatch):
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(demo_home))

    def opened(page, **address):
        test = AppTest.from_file(APP, default_timeout=60)
        for name, value in address.items():
            test.query_params[name.replace("__", ".")] = value
        test.run()
        test.switch_page(f"pages/analysis/{page}.py").run()
        assert not test.exception, test.exception
        assert not test.error, test.error
        return test

    return opened


VIEWS = [
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
@pytest.mark.parametrize(("page", "address"), VIEWS)
def test_a_view_opens(app, page, address, lang):
    said = printed(app(page, lang=lang, **address))
    assert f'<p class="lp-title">{say(f"page.{page}", lang)}</p>' in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sentence_of_the_page_is_that_of_the_command_line(app, bank, lang):
    question = Question("overdue_rate_30", LAST, by=("class",), scheme="abcd")
    said = narrative.describe_change(bank, question, BEFORE, lang)
    assert said.replace("“", "“") in printed(app("changes", lang=lang, scheme="abcd"))


def test_the_bars_of_the_bridge_are_its_effects(app, bank):
    test = app("changes", scheme="abcd", by="product")
    found = bridge(bank, Question("overdue_rate_30", LAST, by=("product",)), BEFORE)
    drawn = json.loads(test.get("plotly_chart")[0].proto.spec)["data"]
    for trace, column in zip(drawn[:2], ("rate_effect", "mix_effect"), strict=True):
        codes = [mark[0] for mark in trace["customdata"]]
        told = dict(zip(found.parts["product"], found.parts[column], strict=True))
        shown = {code: value for code, value in zip(codes, trace["x"], strict=True) if code}
        assert shown == pytest.approx({code: told[code] for code in shown})
    effects = dict(zip(found.parts["product"], found.parts["effect"], strict=True))
    for mark, words in zip(drawn[2]["customdata"], drawn[2]["text"], strict=True):
        if mark[0]:
            assert words == change(effects[mark[0]], "rate", "lower", "zh-CN", bare=True).words


def test_the_chips_say_the_verdicts(app, bank):
    found = noise(bank, Question("overdue_rate_30", LAST, by=("class",)), BEFORE)
    said = printed(app("changes", scheme="abcd"))
    chips = said[said.index('<p class="lp-chips">') :]
    for code in ("rise", "fall", "noise", "few"):
        expected = int((found.parts["verdict"] == code).sum()) + (found.whole["verdict"] == code)
        assert chips.count(f">{say(f'verdict.{code}', 'zh-CN')}</b>") == expected


@pytest.mark.parametrize("term", ["rolled_in", "cured", "stayed", "closing"])
def test_a_term_of_the_money_bridge_opens_its_loans(app, bank, term):
    found = flows(bank, MigrationQuery(Question("loans", LAST), BEFORE))
    counts = dict(zip(found.terms["term"], found.terms["loans"], strict=True)) | {
        "closing": found.loans
    }
    assert f"共 {counts[term]:,} 笔借据" in printed(app("changes", moved=f"term:{term}"))


def test_a_cell_of_the_matrix_opens_its_customers(app, bank):
    found = matrix(bank, MigrationQuery(Question("customers", LAST), BEFORE))
    for row in found.sort_values("n").tail(2).itertuples():
        said = printed(
            app("migration", scheme="abcd", moved=f"before:{row.before}~after:{row.after}")
        )
        assert f"共 {row.n:,} 位客户" in said


def test_a_row_of_the_explorer_opens_exactly_the_n_that_it_printed(app, bank):
    where = (("class", ("C",)),)
    answer = ask(bank, Question("overdue_rate_30", LAST, by=("branch_1",), where=where))
    row = answer.iloc[0]
    cell = f"class:C~branch_1:{row['branch_1']}"
    test = app("explorer", scheme="abcd", cut="class,branch_1", path="class:C")
    shown = test.dataframe[0].value
    assert f"{int(row['n']):,}" in set(shown["n"])
    said = printed(
        app("explorer", scheme="abcd", cut="class,branch_1", open="overdue_rate_30", cell=cell)
    )
    assert f"共 {int(row['n']):,} 笔借据" in said


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
def test_a_cell_of_a_cohort_opens_its_loans(app, bank, address, call, unit):
    kind, more = call
    n = cohorts.count_rows(
        bank, CohortQuery(Question("loans", LAST), kind), {"cohort": "2025-10-01", **more}
    )
    assert n > 0
    assert f"共 {n:,} {unit}" in printed(app("migration", **address))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    metric=st.sampled_from(
        ["overdue_rate_30", "overdue_rate_customers", "npl_ratio", "balance", "reloan_rate_90"]
    ),
    cut_=st.permutations(
        ["class", "branch_1", "branch_2", "age_band", "credit_grade", "education"]
    ),
    deep=st.integers(1, 3),
    back=st.sampled_from([0, 1, 3]),
    hit=st.booleans(),
    data=st.data(),
)
def test_any_cell_of_the_explorer_opens_exactly_the_n_that_it_printed(
    demo_home, metric, cut_, deep, back, hit, data
):
    bank = Warehouse(demo_home, verify="stamp")
    try:
        question, cell = Question(metric, month_end(LAST, -back)), {}
        # Down from the whole bank, a level at a time, as the explorer goes: each level within the cells above it.
        for split in cut_[:deep]:
            level = ask(
                bank,
                question.about(by=(split,), where=tuple((s, (code,)) for s, code in cell.items())),
            )
            assume(len(level))
            row = level.iloc[data.draw(st.integers(0, len(level) - 1))]
            cell = cell | {split: row[split]}
        asked = question.about(by=tuple(cell))
        assert (
            count_rows(bank, asked, cell)
            == row["n"]
            == len(list_rows(bank, asked, cell, limit=10**6))
        )
        if hit and METRICS[metric].hit and METRICS[metric].weight == "1":
            assert count_rows(bank, asked, cell, hit=True) == row["numerator"]
    finally:
        bank.close()


def test_the_totals_of_the_heat_map_are_those_of_the_splits(app, bank):
    table = app("explorer", view="heat", cut="class,branch_1").dataframe[0].value
    whole = ask(bank, Question("overdue_rate_30", LAST)).iloc[0]["value"]
    assert table.iloc[-1, -1] == f"{whole:.2%}"
    by_class = ask(bank, Question("overdue_rate_30", LAST, by=("class",)))
    assert [said.split()[0] for said in table.iloc[:-1, -1]] == [
        f"{value:.2%}" for value in by_class["value"]
    ]


def test_an_empty_selection_says_so_in_every_view_of_the_explorer(app, bank):
    lent = {
        (row["channel"], row["product"])
        for row in ask(bank, Question("loans", LAST, by=("channel", "product"))).to_dict("records")
    }
    products = {product for _, product in lent}
    channel, product = next(
        (c, p) for c, _ in sorted(lent) for p in sorted(products) if (c, p) not in lent
    )
    for view in ("table", "bars", "heat", "trend"):
        said = printed(app("explorer", view=view, f__channel=channel, f__product=product))
        assert "数据不足" in said or say("figure.nobody", "zh-CN") in said


def test_the_part_of_the_largest_cell_stands_open(app, bank):
    found = bridge(bank, Question("overdue_rate_30", LAST, by=("channel", "branch_1")), BEFORE)
    test = app("changes", by="channel", then="branch_1")
    inside = charts(test)[1]["data"][0]
    top = found.cells.iloc[0]
    shown = {mark[0]: value for mark, value in zip(inside["customdata"], inside["x"], strict=True)}
    assert shown[top["branch_1"]] == pytest.approx(top["rate_effect"])


def test_a_bank_of_few_months_says_what_is_missing(small_home, monkeypatch):
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(small_home))
    test = AppTest.from_file(APP, default_timeout=60)
    test.query_params["asof"] = "2025-07-31"
    test.query_params["lang"] = "en"
    test.run()
    for page in ("changes", "migration", "explorer"):
        test.switch_page(f"pages/analysis/{page}.py").run()
        assert not test.exception, (page, test.exception)
    assert "needs more history" in printed(test) or "no month end" in printed(test)
