"""Parts that several charts share, as Plotly dicts: bars, axes, lines, notes, hover texts."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation.theme import Theme

Figure = dict[str, Any]
"""A whole chart: {"data": [traces], "layout": {…}}."""

_LONGEST_NAME = 18


class MetricFormat(Protocol):
    """What a chart reads of a metric: the unit of its values, and which direction is better."""

    @property
    def unit(self) -> str: ...

    @property
    def better(self) -> str: ...


KEEP_OPACITY = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
"""A click does not dim the other marks."""


def invisible_points(size: int, **more: Any) -> dict[str, Any]:
    """Return a line with invisible points: Plotly lets a reader click a point, but not a line."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "marker": {"size": size, "opacity": 0, **more},
        "selected": {"marker": {"opacity": 0}},
        "unselected": {"marker": {"opacity": 0}},
    }


def iso_dates(days: Iterable[Any]) -> list[str]:
    """Return dates as YYYY-MM-DD."""
    return [str(day)[:10] for day in days]


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Return values as floats, missing ones as None: JSON knows no NaN."""
    return [None if text.is_missing(value) else float(value) for value in values]


def records(frame: pd.DataFrame) -> list[Any]:
    """Return the rows of a frame as named tuples, whose fields depend on the frame."""
    return list(frame.itertuples())


def is_small(n: float) -> bool:
    """Return whether a group is too small for its value to be relied on (n < 30)."""
    return bool(n < MIN_GROUP_SIZE)


def small_group_note(n: float, lang: str) -> str:
    """Return "too few" for a small group, else nothing."""
    return text.say("figure.few", lang) if is_small(n) else ""


def short_name(name: str) -> str:
    """Return a name cut to 18 characters, with an ellipsis where it is longer."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def horizontal_bars(
    values: Sequence[float | None], rows: Sequence[float], colours: str | Sequence[str], **more: Any
) -> dict[str, Any]:
    """Return a trace of horizontal bars from zero; `rows` are positions on the vertical axis."""
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": rows,
        "marker": {"color": colours},
        "hoverinfo": "text",
    }
    return bars | more


def labels_at_end(words: Sequence[str], theme: Theme, size: int | None = None) -> dict[str, Any]:
    """Return the properties of a bar trace that print a label outside the end of each bar."""
    font: dict[str, Any] = {"color": theme.ink}
    if size is not None:
        font["size"] = size
    return {"text": words, "textposition": "outside", "cliponaxis": False, "textfont": font}


def row_axis(labels: Sequence[str], theme: Theme, size: int = 13) -> dict[str, Any]:
    """Return a vertical axis with one label per row, the first on top.

    Labels are Plotly markup: the caller escapes them.
    """
    return {
        "range": [len(labels) - 0.5, -0.5],
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "tickfont": {"color": theme.ink, "size": size},
    }


def without_ticks(scale: dict[str, Any]) -> dict[str, Any]:
    """Return a value axis that only sets the scale: the marks carry their own labels."""
    return scale | {"showticklabels": False, "showgrid": False}


def month_ticks(stamps: Sequence[str], lang: str, count: int) -> dict[str, Any]:
    """Return a category axis of months with about `count` labels, the last month among them."""
    step = max(1, len(stamps) // count)
    labelled = stamps[::-1][::step][::-1]
    return {
        "type": "category",
        "tickvals": labelled,
        "ticktext": [text.month(stamp, lang, short=True) for stamp in labelled],
    }


def line(
    across: tuple[float, float],
    down: tuple[float, float],
    colour: str,
    width: float = 1,
    **more: Any,
) -> dict[str, Any]:
    """Return a straight line as a layout shape, from (x0, y0) to (x1, y1)."""
    style = {"color": colour, "width": width}
    return {
        "type": "line",
        "x0": across[0],
        "x1": across[1],
        "y0": down[0],
        "y1": down[1],
        "line": style,
        **more,
    }


def note(
    x: float | str, y: float, words: str, colour: str, size: int = 12, **more: Any
) -> dict[str, Any]:
    """Return a text without an arrow as a layout annotation."""
    font = {"color": colour, "size": size}
    return {"x": x, "y": y, "showarrow": False, "text": words, "font": font, **more}


def whole_line(whole: float, theme: Theme) -> dict[str, Any]:
    """Return the dotted vertical line that marks the value of all customers or loans."""
    shape = line((whole, whole), (0, 1), theme.grey, yref="paper", layer="below")
    shape["line"]["dash"] = "dot"
    return shape


def whole_note(whole: float, unit: str, lang: str, theme: Theme) -> dict[str, Any]:
    """Return the label above the line of the whole."""
    words = f"{text.say('figure.whole', lang)} {text.number(whole, unit, lang)}"
    return note(whole, 1, words, theme.grey, yref="paper", yanchor="bottom")


def hover(row: Any, label: str, unit: str, lang: str) -> str:
    """Return the hover text of one row of an answer: value, numerator, denominator, n."""
    halves = text.say(
        "figure.halves",
        lang,
        numerator=_whole_number(row.numerator),
        denominator=_whole_number(row.denominator),
    )
    few = small_group_note(row.n, lang)
    lines = [
        f"<b>{html.escape(label)}</b>",
        text.number(row.value, unit, lang),
        halves,
        f"n = {int(row.n):,}",
    ]
    if few:
        lines.append(few)
    return "<br>".join(lines)


def _whole_number(value: float | None) -> str:
    return text.NOTHING if value is None or text.is_missing(value) else f"{value:z,.0f}"
