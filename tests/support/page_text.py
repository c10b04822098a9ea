"""What a page prints and draws, read from a run of it; and how a test opens a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from streamlit.testing.v1 import AppTest


class OpenPage(Protocol):
    """The fixture `app`: open a page in the frame, with URL parameters (`f__product` is f.product).

    `page` is "<section>/<page>"; `home` the folder of the editions, the invented bank's by default.
    """

    def __call__(self, page: str = ..., home: Path | str = ..., **address: str) -> AppTest: ...


def page_html(test: AppTest) -> str:
    """Return everything that the page prints through its own markup."""
    return "\n".join(block.proto.body for block in test.get("html"))


def charts(test: AppTest) -> list[dict[str, Any]]:
    """Return the figures in the order of the page, as plotly draws them."""
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def marks(figure: dict[str, Any], trace: int = -1) -> dict[str, float]:
    """Return code → length of the bars of one trace."""
    bars = figure["data"][trace]
    return {mark[-1]: value for mark, value in zip(bars["customdata"], bars["x"], strict=True)}
