"""python -m tests.browser.speed HOME: how long a reader waits in Chromium, medians over fresh windows."""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.browser import harness

ROUNDS = 5
# Place in the menu, title, and what stands on the page when it is drawn.
OVERVIEW = (0, "总览", "[data-testid=stDataFrame] canvas")
OVERDUE = (2, "逾期", ".js-plotly-plot .main-svg")
TARGETS = {"first page, empty cache": 3.0, "page switch": 0.6, "click → list": 0.5}


def measure(home: Path) -> dict[str, list[float]]:
    """Seconds per round of each wait in TARGETS."""
    found: dict[str, list[float]] = {name: [] for name in TARGETS}
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.server(home, Path(folder) / "log.txt") as address,
    ):
        time.sleep(5)  # the warm-up that a reader never sees
        with harness.browser() as chrome:
            for _ in range(ROUNDS):
                with harness.reader(chrome, address) as reader:
                    for name, seconds in _visit(reader).items():
                        found[name].append(seconds)
    return found


def _visit(reader: harness.Reader) -> dict[str, float]:
    page, waits = reader.page, {}
    began = time.perf_counter()
    reader.open("/")
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    waits["first page, empty cache"] = time.perf_counter() - began
    # The chart engine is loaded from here on, as for any reader who has looked at the first page for some seconds.
    _go(reader, OVERDUE)
    _go(reader, OVERVIEW)
    began = time.perf_counter()
    _go(reader, OVERDUE)
    waits["page switch"] = time.perf_counter() - began
    tiers = page.locator(".js-plotly-plot").nth(1)
    bar = max(
        (bar.bounding_box() for bar in tiers.locator(".point path").all()),
        key=lambda box: box["width"],
    )
    began = time.perf_counter()
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_selector(".st-key-drill [data-testid=stDataFrame] canvas")
    waits["click → list"] = time.perf_counter() - began
    return waits


def _go(reader: harness.Reader, page: tuple[int, str, str]) -> None:
    """To another page by the menu, until all of it stands: its title, its charts or tables, nothing left of the old."""
    place, title, drawn = page
    reader.page.locator("[data-testid=stPageLink] a").nth(place).click()
    reader.page.locator(".lp-title").filter(has_text=re.compile(f"^{title}$")).wait_for()
    reader.settle()
    reader.page.wait_for_selector(drawn)


def main() -> int:
    """Print the table; exit code 1 when a target is missed, 2 without a home."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.browser.speed HOME", file=sys.stderr)
        return 2
    missed = False
    for name, seconds in measure(Path(sys.argv[1])).items():
        median = statistics.median(seconds)
        missed |= median > TARGETS[name]
        print(
            f"{name:<28}{median:6.2f} s   target {TARGETS[name]:.1f} s   ({', '.join(f'{s:.2f}' for s in seconds)})"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
