"""The map of customers in a real Chromium: drawn by WebGL under the strict policy; a click says who."""

import io

import numpy as np
import pytest
from PIL import Image

from analytics.presentation import segment_charts
from analytics.presentation.theme import theme_for
from analytics.segments import definitions, report
from data.editions.reader import Warehouse
from tests.browser import harness

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        harness.chromium() is None,
        reason="Chromium is not installed; on Debian: apt-get install chromium",
    ),
]
CANVAS = "[data-testid=stDeckGlJsonChart] canvas"


@pytest.fixture(scope="module")
def address(fitted_home, tmp_path_factory):
    with harness.server(fitted_home, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


def inked(reader, colour: str) -> int:
    """How many pixels of the canvas have about this colour."""
    shot = Image.open(io.BytesIO(reader.page.locator(CANVAS).screenshot())).convert("RGB")
    wanted = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return sum(
        count
        for count, found in shot.getcolors(1 << 24)
        if all(abs(a - b) < 24 for a, b in zip(found, wanted, strict=True))
    )


@pytest.mark.parametrize("dark", [False, True])
def test_the_map_is_drawn_without_eval_and_without_another_host(address, dark):
    """`faults` would hold what the policy refused, a failing shader, or a request beyond this machine."""
    with harness.browser() as chrome, harness.reader(chrome, address, dark=dark) as reader:
        answer = reader.page.goto(f"{address}/segments?why=map")
        policy = answer.headers["content-security-policy"]
        assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
        reader.settle()
        reader.page.locator(CANVAS).scroll_into_view_if_needed()
        reader.until(lambda: inked(reader, theme_for(dark).accent) > 200)
        assert reader.faults == []


def test_a_click_on_a_dot_says_who_it_is_and_opens_the_card(address, fitted_home):
    bank = Warehouse(fitted_home)
    of = report.read(bank)
    names = {code: of.name(code, "en") for code in of.order if code != definitions.INACTIVE}
    picked = list(names)[-1]
    scene = segment_charts.customer_map(of.payload["map"], names, picked, "en").payload
    layers = [layer["data"] for layer in scene["layers"] if layer["@@type"] == "ScatterplotLayer"]
    every = np.array([dot["p"] for layer in layers for dot in layer])
    # the loneliest dot of the picked segment: no other one lies on it
    dot = max(layers[-1], key=lambda dot: np.sort(np.hypot(*(every - dot["p"]).T))[1])
    number = (
        of.customer(bank, "abcd", of.payload["map"]["key"][dot["i"]])
        .rows(bank, "en")["customer_id"]
        .iloc[0]
    )
    bank.close()
    with harness.browser() as chrome, harness.reader(chrome, address) as reader:
        reader.open("/segments?lang=en&why=map")
        canvas = reader.page.locator(CANVAS)
        canvas.scroll_into_view_if_needed()
        reader.until(lambda: inked(reader, theme_for(False).accent) > 200)
        reader.settle()

        def clicked() -> bool:
            box, scale = canvas.bounding_box(), 2**segment_charts.ZOOM
            x = box["x"] + box["width"] / 2 + dot["p"][0] * scale
            y = box["y"] + box["height"] / 2 + dot["p"][1] * scale
            reader.page.mouse.move(x, y)
            reader.page.mouse.click(x, y)
            # What is drawn above it may still push the canvas: look long enough before another click.
            for _ in range(50):
                reader.page.wait_for_timeout(100)
                if number in reader.text():
                    return True
            return False

        reader.until(clicked, 30)
        reader.settle().page.get_by_role("button", name="Open the customer card").last.click()
        reader.until(lambda: "/customer" in reader.page.url)
        assert number in reader.settle().page.content()
        assert reader.faults == []
