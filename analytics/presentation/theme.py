"""The one look of every page, export and figure: inks, type, axes, and the sparkline.

Calm and printed: one ink, greys, one accent; red and green only for bad and good. International Business Communication
Standards (IBCS): actual solid, last year grey; bars from zero; lines and bars are labelled directly.
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

FONT = "'Source Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', sans-serif"


@dataclass(frozen=True)
class Look:
    """The colours of one appearance; `good` and `bad` differ in lightness and hue for colour-blind readers."""

    paper: str
    ink: str
    grey: str
    faint: str
    rule: str
    accent: str
    good: str
    bad: str

    def of(self, verdict: str) -> str:
        """The colour of `good`, `bad` or `plain`."""
        return {"good": self.good, "bad": self.bad}.get(verdict, self.grey)


LIGHT = Look("#ffffff", "#1c2430", "#6b7280", "#b9bcc2", "#e4e2dc", "#1f4e79", "#00695c", "#b3261e")
DARK = Look("#15191f", "#e9e6df", "#a3a9b3", "#5c6470", "#2c333d", "#8ab8e6", "#5fc4b2", "#ff8f7a")


def look(dark: bool) -> Look:
    """The colours for a light or a dark page."""
    return DARK if dark else LIGHT


def layout(dark: bool, height: int, **more: Any) -> dict[str, Any]:
    tone = look(dark)
    plain = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
        "automargin": True,
        "tickfont": {"color": tone.grey, "size": 12},
    }
    base = {
        "font": {"family": FONT, "size": 13, "color": tone.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 4, "r": 12, "t": 8, "b": 4},
        "height": height,
        "showlegend": False,
        "dragmode": False,
        "clickmode": "event+select",
        "hovermode": "closest",
        # A figure that is sent is never changed: without this mark Plotly takes each copy that Streamlit's front end
        # makes of it for new data, and draws the chart again.
        "datarevision": 1,
        "hoverlabel": {"bgcolor": tone.paper, "bordercolor": tone.faint, "font": {"color": tone.ink, "family": FONT}},
        "xaxis": dict(plain),
        "yaxis": dict(plain),
    }
    for key, entry in more.items():
        base[key] = {**base.get(key, {}), **entry} if isinstance(entry, dict) else entry
    return roomy(base)


def roomy(page: dict[str, Any]) -> dict[str, Any]:
    """The layout with margins that hold the labels of its axes. Plotly widens a margin that is too small, but only
    after it has drawn the chart once, and then draws it again."""
    margin, taken = page["margin"], {"l": 0, "t": 0, "b": 0}
    for name, entry in page.items():
        said = [str(words) for words in entry.get("ticktext", ())] if name[1:5] == "axis" else []
        if not said or not entry["automargin"] or entry.get("showticklabels") is False:
            continue
        size = entry["tickfont"]["size"]
        if name[0] == "y":
            deep = 3 + entry.get("ticklabelstandoff", 0)
            taken["l"] = max(taken["l"], *(math.ceil(width(words, size)) + deep for words in said))
            if entry["showgrid"]:  # the upper half of the label at the end of a scale
                taken["t"] = max(taken["t"], math.ceil(size * 0.65))
        else:
            side, deep = "t" if entry.get("side") == "top" else "b", max(words.count("<br>") + 1 for words in said)
            taken[side] = max(taken[side], math.ceil(deep * size * 1.3) + 2 + entry.get("ticklabelstandoff", 0))
    for _ in range(3):
        # Plotly keeps the narrowest margin, twelve pixels at most, free beside labels; each margin widened moves it.
        free = min(12, *margin.values())
        margin |= {side: max(margin[side], size + free) for side, size in taken.items() if size}
    return page


def width(words: str, size: float) -> float:
    """The pixels that a label takes at most, the widest of its lines; `words` as Plotly reads them."""
    lines = (html.unescape(re.sub("<[^>]*>", "", line)) for line in words.split("<br>"))
    return size * max(sum(_em(sign) for sign in line) for line in lines)


def _em(sign: str) -> float:
    """How wide a sign is in the type of the pages, in parts of its size, rather too much than too little."""
    if sign > "\u2e80":
        return 1.0
    if sign in " .,:;'|!ijl":
        return 0.28
    if sign in "frt()-/·":
        return 0.36
    return 0.84 if sign in "mwMW%@—…→" else 0.62 if sign.isupper() else 0.53


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that cover low … high, about `count` of them, ends included."""
    if not high > low:
        return [low] if low == 0 else sorted({0.0, low})
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * base for base in (1, 2, 2.5, 5, 10) if power * base >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [step * place for place in range(first, last + 1)]


def axis(values: Sequence[float], unit: str, lang: str, tone: Look) -> dict[str, Any]:
    """A value axis that starts at zero, with round ticks in the reader's unit."""
    known = [float(v) for v in values if not text.is_missing(v)] or [0.0]
    places = ticks(min(0.0, *known), max(0.0, *known), 3)
    return {
        "range": [places[0], places[-1] or 1],
        "tickvals": places,
        "ticktext": [text.number(v, unit, lang, tick=True) for v in places],
        "showgrid": True,
        "gridcolor": tone.rule,
    }


def sparkline(values: Sequence[float | None], alt: str, colour: str, *, width: int = 132, height: int = 30) -> str:
    """A line of months as an <img>, its last point marked; gaps stay gaps. Streamlit drops SVG that stands inline."""
    known = [float(v) for v in values if not text.is_missing(v)]
    path, pen, last = [], "M", None
    if len(known) > 1:
        low, reach = min(known), (max(known) - min(known)) or 1.0
        step = (width - 6) / (len(values) - 1)
        for place, value in enumerate(values):
            if text.is_missing(value):
                pen = "M"
                continue
            last = (2 + place * step, height - 4 - (float(value) - low) / reach * (height - 8))
            path.append(f"{pen}{last[0]:.1f} {last[1]:.1f}")
            pen = "L"
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    )
    if last:
        drawing += f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
        drawing += f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.4" fill="{colour}"/>'
    size = f'width="{width}" height="{height}"'
    return f'<img class="lp-spark" {size} alt="{html.escape(alt, quote=True)}" src="{_packed(drawing)}">'


def bar(value: float, low: float, high: float, colour: str, rule: str, *, width: int = 150, height: int = 22) -> str:
    """A bar from zero on a scale from `low` to `high`, as the address of an image: for a cell of a table."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (width - 2) / ((high - low) or 1.0)
    zero, end = 1 - low * scale, 1 + (value - low) * scale
    left, size = min(zero, end), max(abs(end - zero), 0.5)
    return _packed(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect x="{left:.1f}" y="4" width="{size:.1f}" height="{height - 8}" fill="{colour}"/>'
        f'<path d="M{zero:.1f} 0V{height}" stroke="{rule}"/>'
    )


def _packed(drawing: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(f'{drawing}</svg>'.encode()).decode()}"
