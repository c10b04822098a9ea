"""python -m tests.browser.speed HOME: a reader's waiting time in Chromium, medians of windows."""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.browser import harness

ROUNDS = 5
# Position in the menu, title, and an element of the complete page.
OVERVIEW = (0, "总览", "[data-testid=stDataFrame] canvas")
OVERDUE = (2, "逾期", ".js-plotly-plot .main-svg")
TARGETS = {"first page, empty cache": 3.0, "page switch": 0.6, "click → list": 0.5}


def measure(home: Path) -> dict[str, list[float]]:
    """Return the seconds of each wait in TARGETS, one value per round."""
    waits: dict[str, list[float]] = {name: [] for name in TARGETS}
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.server(home, Path(folder) / "log.txt") as address,
    ):
        time.sleep(5)  # the warm-up
        with harness.browser() as chrome:
            for _ in range(ROUNDS):
                with harness.reader(chrome, address) as reader:
                    for name, seconds in _visit(reader).items():
                        waits[name].append(seconds)
    return waits


def _visit(reader: harness.Reader) -> dict[str, float]:
    page = reader.page
    waits: dict[str, float] = {}
    began = time.perf_counter()
    reader.open("/")
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    waits["first page, empty cache"] = time.perf_counter() - began
    # From here on the chart engine is loaded, as after some seconds on the first page.
    _go(reader, OVERDUE)
    _go(reader, OVERVIEW)
    began = time.perf_counter()
    _go(reader, OVERDUE)
    waits["page switch"] = time.perf_counter() - began
    tiers = page.locator(".js-plotly-plot").nth(1)
    boxes = [harness.box_of(bar) for bar in tiers.locator(".point path").all()]
    bar = max(boxes, key=lambda box: box["width"])
    began = time.perf_counter()
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_selector(".st-key-drill [data-testid=stDataFrame] canvas")
    waits["click → list"] = time.perf_counter() - began
    return waits


def _go(reader: harness.Reader, page: tuple[int, str, str]) -> None:
    """Go to another page by the menu and wait until it is complete and the old one is gone."""
    position, title, element = page
    reader.page.locator("[data-testid=stPageLink] a").nth(position).click()
    reader.page.locator(".lp-title").filter(has_text=re.compile(f"^{title}$")).wait_for()
    reader.settle()
    reader.page.wait_for_selector(element)


def main() -> int:
    """Print the table; return 1 when a wait is above its target, 2 without a home."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.browser.speed HOME", file=sys.stderr)
        return 2
    is_slow = False
    for name, seconds in measure(Path(sys.argv[1])).items():
        median = statistics.median(seconds)
        is_slow |= median > TARGETS[name]
        rounds = ", ".join(f"{wait:.2f}" for wait in seconds)
        print(f"{name:<28}{median:6.2f} s   target {TARGETS[name]:.1f} s   ({rounds})")
    return int(is_slow)


if __name__ == "__main__":
    sys.exit(main())
