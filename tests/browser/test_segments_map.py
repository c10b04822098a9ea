"""The map of customers in a real Chromium: drawn by WebGL under the strict policy, clickable."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analytics.presentation import segment_charts
from analytics.presentation.theme import theme_for
from analytics.segments import definitions, report
from data.editions.reader import Warehouse
from tests.browser import harness
from tests.browser.harness import Reader

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        harness.chromium() is None,
        reason="Chromium is not installed; on Debian: apt-get install chromium",
    ),
]
CANVAS = "[data-testid=stDeckGlJsonChart] canvas"


@pytest.fixture(scope="module")
def address(fitted_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with harness.server(fitted_home, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


def count_pixels(reader: Reader, colour: str) -> int:
    """Return how many pixels of the canvas have about this colour (#rrggbb)."""
    shot = Image.open(io.BytesIO(reader.page.locator(CANVAS).screenshot())).convert("RGB")
    target = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    distance = np.abs(np.asarray(shot, dtype=int) - target)
    return int((distance < 24).all(axis=2).sum())


@pytest.mark.parametrize("dark", [False, True])
def test_the_map_is_drawn_without_eval_and_without_another_host(address: str, dark: bool) -> None:
    """Faults would be a refusal of the policy, a failing shader, or a request to another host."""
    with harness.browser() as chrome, harness.reader(chrome, address, dark=dark) as reader:
        response = reader.page.goto(f"{address}/segments?why=map")
        assert response is not None
        policy = response.headers["content-security-policy"]
        assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
        reader.settle()
        reader.page.locator(CANVAS).scroll_into_view_if_needed()
        reader.until(lambda: count_pixels(reader, theme_for(dark).accent) > 200)
        assert reader.faults == []


def test_a_click_on_a_dot_names_the_customer_and_opens_the_card(
    address: str, fitted_home: Path
) -> None:
    warehouse = Warehouse(fitted_home)
    segments = report.read(warehouse)
    names = {
        code: segments.name(code, "en") for code in segments.order if code != definitions.INACTIVE
    }
    segment = list(names)[-1]
    scene = segment_charts.customer_map(segments.payload["map"], names, segment, "en").payload
    layers = [layer["data"] for layer in scene["layers"] if layer["@@type"] == "ScatterplotLayer"]
    every = np.array([dot["p"] for layer in layers for dot in layer])
    # The dot of the segment that is farthest from its nearest neighbour: no other one covers it.
    dot = max(layers[-1], key=lambda dot: np.sort(np.hypot(*(every - dot["p"]).T))[1])
    number = (
        segments.customer(warehouse, "abcd", segments.payload["map"]["key"][dot["i"]])
        .rows(warehouse, "en")["customer_id"]
        .iloc[0]
    )
    warehouse.close()
    with harness.browser() as chrome, harness.reader(chrome, address) as reader:
        reader.open("/segments?lang=en&why=map")
        canvas = reader.page.locator(CANVAS)
        canvas.scroll_into_view_if_needed()
        reader.until(lambda: count_pixels(reader, theme_for(False).accent) > 200)
        reader.settle()

        def click_shows_customer() -> bool:
            box = harness.box_of(canvas)
            scale = 2**segment_charts.ZOOM
            x = box["x"] + box["width"] / 2 + dot["p"][0] * scale
            y = box["y"] + box["height"] / 2 + dot["p"][1] * scale
            reader.page.mouse.move(x, y)
            reader.page.mouse.click(x, y)
            # Elements above may still move the canvas: wait before another click.
            for _ in range(50):
                reader.page.wait_for_timeout(100)
                if number in reader.text():
                    return True
            return False

        reader.until(click_shows_customer, 30)
        reader.settle().page.get_by_role("button", name="Open the customer card").last.click()
        reader.until(lambda: "/customer" in reader.page.url)
        assert number in reader.settle().page.content()
        assert reader.faults == []
