"""A manager's journeys in a real Chromium over an invented bank: links, back, language, clicks, lists."""

import re
import time

import pytest

from tests.browser import harness

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        harness.chromium() is None, reason="Chromium is not installed; on Debian: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def address(demo_home, tmp_path_factory):
    with harness.server(demo_home, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.fixture(scope="module")
def window(address):
    """One Chromium for all journeys; each journey has a fresh context with an empty cache."""
    with harness.browser() as chromium:
        yield chromium


@pytest.fixture
def reader(window, address):
    with harness.reader(window, address) as reader:
        yield reader
        assert reader.faults == []


def choose(reader, label, option):
    reader.page.get_by_label(label, exact=True).first.click()
    reader.page.get_by_role("option", name=option).first.click()
    reader.until(lambda: option in reader.page.get_by_label(label, exact=True).first.input_value())


def test_the_first_deep_link_after_a_start_opens_its_page(reader):
    reader.open("/overdue?lang=en")
    assert "Overdue rate" in reader.text()
    assert reader.page.locator("[role=dialog]").count() == 0


def test_the_document_speaks_the_language_of_its_reader(reader):
    reader.open("/?lang=en")
    assert reader.page.evaluate("document.documentElement.lang") == "en"
    reader.page.get_by_role("button", name="中文").click()
    reader.until(lambda: reader.page.evaluate("document.documentElement.lang") == "zh-CN")
    assert "总览" in reader.settle().text()


def test_chinese_is_drawn_with_simplified_glyphs(reader):
    reader.open("/")
    session = reader.page.context.new_cdp_session(reader.page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": ".lp-title"})["nodeId"]
    fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    assert all("JP" not in font["familyName"] for font in fonts)


def test_the_choice_goes_along_to_another_page_and_back_undoes_it(reader):
    reader.open("/overdue")
    choose(reader, "数据月份", "2026年8月")
    assert "asof=2026-08-31" in reader.page.url
    reader.page.locator("[data-testid=stPageLink] a").filter(has_text="总览").click()
    reader.until(lambda: reader.page.url.split("?")[0].endswith("/"))
    assert "asof=2026-08-31" in reader.settle().page.url
    reader.page.go_back()
    reader.until(lambda: "/overdue" in reader.page.url)
    reader.settle().page.go_back()
    reader.until(lambda: "asof=2026-10-31" in reader.page.url)
    reader.until(lambda: reader.page.get_by_label("数据月份", exact=True).first.input_value() == "2026年10月")


def test_a_click_on_a_bar_opens_its_list(reader):
    reader.open("/overdue?lang=en")
    reader.page.wait_for_selector(".barlayer .point path")
    bar = reader.page.locator(".barlayer .point path").last.bounding_box()
    tallest = max(
        (b.bounding_box() for b in reader.page.locator(".barlayer .point path").all()),
        key=lambda b: b["width"],
        default=bar,
    )
    reader.page.mouse.click(tallest["x"] + tallest["width"] / 2, tallest["y"] + tallest["height"] / 2)
    reader.page.wait_for_selector(".st-key-drill [data-testid=stDataFrame]")
    assert re.search(r"[\d,]+ loans", reader.page.inner_text(".st-key-drill"))
    assert "open=overdue_rate" in reader.page.url


def test_a_click_on_the_board_opens_a_list_that_downloads_with_its_definition(reader, tmp_path):
    reader.open("/?lang=zh-CN")
    reader.page.wait_for_selector("[data-testid=stDataFrame] canvas")
    box = reader.page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    reader.page.mouse.click(box["x"] + 160, box["y"] + 28 + 38 * 1.5)
    reader.page.wait_for_selector(".st-key-drill [data-testid=stDataFrame]")
    printed = int(re.search(r"共 ([\d,]+) ", reader.page.inner_text(".st-key-drill"))[1].replace(",", ""))
    with reader.page.expect_download() as waiting:
        reader.page.get_by_role("button", name="下载 CSV").click()
    waiting.value.save_as(tmp_path / "list.csv")
    text = (tmp_path / "list.csv").read_bytes().decode("utf-8-sig")
    lines = text.split("\r\n")
    assert lines.index("") - 1 == printed
    assert '"指标","逾期30+率 (overdue_rate_30)"' in text


def test_the_definition_and_the_query_are_one_click_away(reader):
    reader.open("/?lang=en")
    reader.page.get_by_role("button", name="Definition").first.click()
    reader.page.wait_for_selector(".lp-define")
    assert "Owner" in reader.page.inner_text(".lp-define")
    reader.page.wait_for_selector("[data-testid=stCode]")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_paper_is_the_theme_of_the_reader(window, address, dark):
    with harness.reader(window, address, dark=dark) as reader:
        reader.open("/")
        paper = reader.page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
        assert paper == ("rgb(21, 25, 31)" if dark else "rgb(255, 255, 255)")
        assert reader.faults == []


@pytest.mark.parametrize("path", ["/", "/overdue"])
def test_nothing_scrolls_sideways_on_a_phone(window, address, path):
    with harness.reader(window, address, width=390, height=844) as reader:
        reader.open(path)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_image_from_outside_is_blocked_by_the_policy(window, address):
    with harness.reader(window, address) as reader:
        reader.open("/")
        reader.page.evaluate("document.body.appendChild(new Image()).src = 'http://outside.example/x.png'")
        reader.until(lambda: any("Content Security Policy" in fault for fault in reader.faults))


def test_a_first_page_is_complete_soon_and_a_page_switch_is_quick(window, address):
    # Targets on a quiet machine are 3 s and 0.6 s (make bench prints them); here the walls against a slip of the code.
    with harness.reader(window, address) as reader:
        began = time.monotonic()
        reader.open("/")
        reader.page.wait_for_selector("[data-testid=stDataFrame] canvas")
        first = time.monotonic() - began
        reader.page.locator("[data-testid=stPageLink] a").filter(has_text="逾期").click()
        reader.page.wait_for_selector(".js-plotly-plot .main-svg")
        assert first < 12
