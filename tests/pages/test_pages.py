"""Every page in both languages, opened inside the frame; a page prints what the library answers."""

from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.i18n.text import LANGUAGES, number, say
from analytics.metrics import drilldown, query
from analytics.metrics.definitions import metric_named
from analytics.metrics.question import Question
from data.editions.reader import Warehouse
from pages.parts.state import navigation
from tests.conftest import APP
from tests.support.page_text import OpenPage, page_html

PAGES = [(section, page) for section, pages in navigation.SECTIONS.items() for page in pages]
LAST = date(2026, 10, 31)


def test_the_menu_lists_every_page_file() -> None:
    files = navigation.PAGES_FOLDER.glob("*/*.py")
    on_disk = {(file.parent.name, file.stem) for file in files if file.parent.name != "parts"}
    assert on_disk == set(PAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("section", "page"), PAGES, ids=[page for _, page in PAGES])
def test_a_page_opens_in_the_frame(app: OpenPage, section: str, page: str, lang: str) -> None:
    test = app(f"{section}/{page}", lang=lang)
    body = page_html(test)
    assert f'<p class="lp-title">{say(f"page.{page}", lang)}</p>' in body
    assert say("app.name", lang) in body


@pytest.mark.parametrize(
    "metric", ["customers", "overdue_rate_30", "npl_ratio", "reloan_rate_90", "contribution_net"]
)
def test_a_tile_prints_the_answer_of_the_metric(
    app: OpenPage, bank: Warehouse, metric: str
) -> None:
    answer = query.ask(bank, Question(metric, LAST)).iloc[0]
    unit = metric_named(metric).unit
    assert f'<p class="lp-value">{number(answer["value"], unit, "zh-CN")}</p>' in page_html(app())


def test_a_filter_in_the_address_narrows_the_tiles(app: OpenPage, bank: Warehouse) -> None:
    question = Question("overdue_rate_30", LAST, where=(("channel", ("partner",)),))
    answer = query.ask(bank, question).iloc[0]
    assert number(answer["value"], "rate", "en") in page_html(app(lang="en", f__channel="partner"))


def test_an_earlier_month_in_the_address_is_shown(app: OpenPage, bank: Warehouse) -> None:
    answer = query.ask(bank, Question("customers", date(2026, 8, 31))).iloc[0]
    assert f'<p class="lp-value">{int(answer["value"]):,}</p>' in page_html(app(asof="2026-08-31"))


def test_a_bad_address_shows_the_nearest_view_and_says_so(app: OpenPage) -> None:
    test = app(asof="2031-01-31", scheme="nothing", lang="en")
    assert "showing Oct 2026" in test.info[0].value
    assert "using “abcd”" in test.info[0].value


@pytest.mark.parametrize("metric", ["overdue_rate_30", "reloan_rate_90"])
@pytest.mark.parametrize("code", ["A", "C"])
def test_a_cell_opens_exactly_the_n_that_it_printed(
    app: OpenPage, bank: Warehouse, metric: str, code: str
) -> None:
    answer = query.ask(bank, Question(metric, LAST, by=("class",)))
    rows = answer[answer["class"] == code]
    n = int(rows["n"].iloc[0]) if len(rows) else 0
    test = app(open=metric, cell=f"class:{code}")
    assert f"共 {n:,} " in page_html(test)
    assert (
        len(
            drilldown.list_rows(
                bank, Question(metric, LAST, by=("class",)), {"class": code}, limit=10**6
            )
        )
        == n
    )


def test_a_cell_that_does_not_exist_opens_the_whole_and_says_so(
    app: OpenPage, bank: Warehouse
) -> None:
    n = query.ask(bank, Question("overdue_rate_30", LAST)).iloc[0]["n"]
    test = app(open="overdue_rate_30", cell="id_number:1~class:Z")
    assert f"共 {int(n):,} 笔" in page_html(test)
    assert "名单没有“class:Z”这一格" in test.info[0].value


def test_an_unknown_list_is_reported_and_not_opened(app: OpenPage) -> None:
    test = app(open="nope", lang="en")
    assert "there is no list of “nope”" in test.info[0].value


def test_without_an_edition_the_page_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(tmp_path))
    test = AppTest.from_file(APP).run()
    assert not test.exception
    assert test.text[0].value == "还没有可看的数据。"
