"""The appearance of every page, export and chart: colours, type, axes, margins, and the sparkline.

Calm and printed: one ink, greys, one accent; red and green only for bad and good. After the
International Business Communication Standards (IBCS): actual solid, last year grey; bars from zero;
lines and bars are labelled directly.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.i18n import text

FONT = (
    "'Source Sans', 'PingFang SC', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', 'Noto Sans SC', sans-serif"
)


@dataclass(frozen=True)
class Theme:
    """The colours of one appearance.

    `good` and `bad` differ in lightness and hue, for colour-blind readers.
    """

    paper: str
    ink: str
    grey: str
    faint: str
    rule: str
    accent: str
    good: str
    bad: str

    def verdict_colour(self, verdict: str) -> str:
        """Return the colour of `good`, `bad` or `plain`."""
        return {"good": self.good, "bad": self.bad}.get(verdict, self.grey)


LIGHT = Theme(
    paper="#ffffff",
    ink="#1c2430",
    grey="#6b7280",
    faint="#b9bcc2",
    rule="#e4e2dc",
    accent="#1f4e79",
    good="#00695c",
    bad="#b3261e",
)
DARK = Theme(
    paper="#15191f",
    ink="#e9e6df",
    grey="#a3a9b3",
    faint="#5c6470",
    rule="#2c333d",
    accent="#8ab8e6",
    good="#5fc4b2",
    bad="#ff8f7a",
)


def theme_for(dark: bool) -> Theme:
    """Return the colours for a light or a dark page."""
    return DARK if dark else LIGHT


def layout(dark: bool, height: int, **more: Any) -> dict[str, Any]:
    """Return the common Plotly layout with `more` merged into it, one level deep."""
    theme = theme_for(dark)
    axis = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
        "tickfont": {"color": theme.grey, "size": 12},
    }
    page: dict[str, Any] = {
        "font": {"family": FONT, "size": 13, "color": theme.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 4, "r": 12, "t": 8, "b": 4},
        "height": height,
        "showlegend": False,
        "dragmode": False,
        "clickmode": "event+select",
        "hovermode": "closest",
        # A chart that was sent is never changed. Without this mark Plotly takes each copy that the
        # front end of Streamlit makes of it for new data, and draws the chart again.
        "datarevision": 1,
        "hoverlabel": {
            "bgcolor": theme.paper,
            "bordercolor": theme.faint,
            "font": {"color": theme.ink, "family": FONT},
        },
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }
    for key, entry in more.items():
        page[key] = {**page.get(key, {}), **entry} if isinstance(entry, dict) else entry
    return fit_margins(page)


def fit_margins(page: dict[str, Any]) -> dict[str, Any]:
    """Widen the margins of a layout, in place, so that they hold the labels of its axes.

    Plotly widens a margin that is too small, but only after it has drawn the chart once, and then
    draws it again.
    """
    margin = page["margin"]
    room = {"l": 0, "t": 0, "b": 0}
    for name, axis in page.items():
        if name[1:5] != "axis":
            continue
        labels = [str(words) for words in axis.get("ticktext", ())]
        if not labels or not axis["automargin"] or axis.get("showticklabels") is False:
            continue
        for side, size in _label_room(axis, labels, is_vertical=name[0] == "y").items():
            room[side] = max(room[side], size)
    for _ in range(3):
        # Plotly keeps the narrowest margin, twelve pixels at most, free beside labels. Each margin
        # widened changes which one is the narrowest.
        free = min(12, *margin.values())
        margin |= {side: max(margin[side], size + free) for side, size in room.items() if size}
    return page


def _label_room(axis: dict[str, Any], labels: list[str], *, is_vertical: bool) -> dict[str, int]:
    """Return the pixels that the labels of one axis take, by side of the chart."""
    size = axis["tickfont"]["size"]
    standoff = axis.get("ticklabelstandoff", 0)
    if not is_vertical:
        lines = max(words.count("<br>") + 1 for words in labels)
        side = "t" if axis.get("side") == "top" else "b"
        return {side: math.ceil(lines * size * 1.3) + 2 + standoff}
    room = {"l": max(math.ceil(label_width(words, size)) for words in labels) + 3 + standoff}
    if axis["showgrid"]:
        # The upper half of the label at the end of the scale.
        room["t"] = math.ceil(size * 0.65)
    return room


def label_width(words: str, size: float) -> float:
    """Return the pixels that the widest line of a label takes at most (Plotly markup)."""
    lines = (html.unescape(re.sub("<[^>]*>", "", line)) for line in words.split("<br>"))
    return size * max(sum(char_width(sign) for sign in line) for line in lines)


def char_width(sign: str) -> float:
    """Return the width of a character in parts of the type size, rather too wide than not."""
    if sign > "\u2e80":
        return 1.0
    if sign in " .,:;'|!ijl":
        return 0.28
    if sign in "frt()-/·":
        return 0.36
    if sign in "mwMW%@—…→":
        return 0.84
    return 0.62 if sign.isupper() else 0.53


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers that cover low … high, about `count` of them, ends included."""
    if not high > low:
        return [low] if low == 0 else sorted({0.0, low})
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * base for base in (1, 2, 2.5, 5, 10) if power * base >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [step * place for place in range(first, last + 1)]


def value_axis(
    values: Sequence[float | None], unit: str, lang: str, theme: Theme
) -> dict[str, Any]:
    """Return a value axis that starts at zero, with round ticks in the reader's unit."""
    present = [float(value) for value in values if value is not None and not text.is_missing(value)]
    present = present or [0.0]
    places = ticks(min(0.0, *present), max(0.0, *present), 3)
    return {
        "range": [places[0], places[-1] or 1],
        "tickvals": places,
        "ticktext": [text.number(place, unit, lang, tick=True) for place in places],
        "showgrid": True,
        "gridcolor": theme.rule,
    }


def sparkline(
    values: Sequence[float | None], alt: str, colour: str, *, width: int = 132, height: int = 30
) -> str:
    """Return a line of months as an <img>, its last point marked; missing months are gaps.

    It is an image because Streamlit drops inline SVG.
    """
    points = _sparkline_points(values, width, height)
    drawing = _svg_start(width, height)
    if points:
        commands = []
        pen = "M"
        for point in points:
            if point is None:
                pen = "M"
                continue
            commands.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
            pen = "L"
        x, y = [point for point in points if point is not None][-1]
        path = " ".join(commands)
        drawing += f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
        drawing += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colour}"/>'
    size = f'width="{width}" height="{height}"'
    escaped = html.escape(alt, quote=True)
    return f'<img class="lp-spark" {size} alt="{escaped}" src="{_data_uri(drawing)}">'


def _sparkline_points(
    values: Sequence[float | None], width: int, height: int
) -> list[tuple[float, float] | None]:
    """Return x and y per month in pixels, None for a gap; [] with fewer than two values."""
    present = [float(value) for value in values if value is not None and not text.is_missing(value)]
    if len(present) < 2:
        return []
    low = min(present)
    reach = (max(present) - low) or 1.0
    step = (width - 6) / (len(values) - 1)
    points: list[tuple[float, float] | None] = []
    for index, value in enumerate(values):
        if value is None or text.is_missing(value):
            points.append(None)
        else:
            y = height - 4 - (float(value) - low) / reach * (height - 8)
            points.append((2 + index * step, y))
    return points


def bar_svg(
    value: float,
    low: float,
    high: float,
    colour: str,
    rule: str,
    *,
    width: int = 150,
    height: int = 22,
) -> str:
    """Return a bar from zero on a scale from `low` to `high`, as a data URI for a table cell."""
    low = min(low, 0.0)
    high = max(high, 0.0)
    scale = (width - 2) / ((high - low) or 1.0)
    zero = 1 - low * scale
    end = 1 + (value - low) * scale
    left = min(zero, end)
    size = max(abs(end - zero), 0.5)
    return _data_uri(
        f"{_svg_start(width, height)}"
        f'<rect x="{left:.1f}" y="4" width="{size:.1f}" height="{height - 8}" fill="{colour}"/>'
        f'<path d="M{zero:.1f} 0V{height}" stroke="{rule}"/>'
    )


def _svg_start(width: int, height: int) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'


def _data_uri(drawing: str) -> str:
    encoded = base64.b64encode(f"{drawing}</svg>".encode()).decode()
    return f"data:image/svg+xml;base64,{encoded}"
