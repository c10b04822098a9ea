"""Charts of curves over months or days, a line per part: vintages and reloan curves."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation import marks
from analytics.presentation.marks import Figure
from analytics.presentation.theme import layout, theme_for, value_axis

_HEIGHT = 320


@dataclass(frozen=True, order=True)
class _CurveEnd:
    """The last point of a curve, where its label stands."""

    value: float
    x: float
    code: str
    colour: str


def curves(
    frame: pd.DataFrame,
    x: str,
    labels: Mapping[str, str],
    ticks: Mapping[float, str],
    lang: str,
    *,
    dark: bool = False,
    bold: Collection[str] = (),
    small: int = MIN_GROUP_SIZE,
    stepped: bool = False,
) -> Figure:
    """Draw a line per part over `x`, labelled at its end.

    Parameters
    ----------
    frame
        part, the column `x`, value (a rate as a share of one), n.
    bold
        Parts in the accent colour; the others are grey.
    small
        A line with fewer than `small` customers at some point is dotted; 0 for none.
    """
    theme = theme_for(dark)
    present = set(frame["part"])
    data = []
    ends = []
    for code in labels:
        if code not in present:
            continue
        part = frame[(frame["part"] == code) & frame["value"].notna()].sort_values(x)
        if part.empty:
            continue
        is_bold = code in bold
        is_dotted = bool((part["n"] < small).any()) if small else False
        colour = theme.accent if is_bold else theme.grey
        trace = _curve(part, x, code, labels[code], colour, lang)
        trace["line"] = _line_style(colour, is_bold, is_dotted, stepped)
        data.append(trace)
        last = part.iloc[-1]
        ends.append(_CurveEnd(float(last["value"]), float(last[x]), code, colour))
    furthest = float(frame[x].max()) if len(frame) else 1.0
    scale = value_axis([*frame["value"]], "rate", lang, theme)
    notes = _end_labels(ends, furthest, scale, labels, lang)
    names = {float(at): name for at, name in ticks.items() if float(at) <= furthest}
    return {
        "data": data,
        "layout": layout(
            dark,
            _HEIGHT,
            annotations=notes,
            margin={"r": 150},
            yaxis=scale,
            xaxis={
                "range": [-0.02 * furthest, furthest],
                "tickvals": list(names),
                "ticktext": list(names.values()),
            },
        ),
    }


def _line_style(colour: str, is_bold: bool, is_dotted: bool, is_stepped: bool) -> dict[str, Any]:
    return {
        "color": colour,
        "width": 2.2 if is_bold else 1.3,
        "dash": "dot" if is_dotted else "solid",
        "shape": "hv" if is_stepped else "linear",
    }


def _end_labels(
    ends: Sequence[_CurveEnd],
    furthest: float,
    scale: dict[str, Any],
    labels: Mapping[str, str],
    lang: str,
) -> list[dict[str, Any]]:
    """Return the labels at the ends of the curves; the scale is extended to hold them."""
    low, high = scale["range"]
    reach = (high - low) or 1
    positions = _label_heights(ends, furthest * 0.2, reach * 16 / (_HEIGHT - 40))
    scale["range"] = [low, max([high, *(position for _, position in positions)])]
    notes = []
    for end, position in positions:
        name = html.escape(marks.short_name(labels[end.code]))
        words = f"{name} {text.number(end.value, 'rate', lang)}"
        notes.append(marks.note(end.x, position, words, end.colour, xanchor="left", xshift=6))
    return notes


def _curve(
    part: pd.DataFrame, x: str, code: str, name: str, colour: str, lang: str
) -> dict[str, Any]:
    hover = []
    for at, value, n in zip(part[x], part["value"], part["n"], strict=True):
        place = text.say("changes.at", lang, x=int(at))
        rate = text.number(value, "rate", lang)
        hover.append(f"<b>{html.escape(name)}</b><br>{place}<br>{rate}<br>n = {int(n):,}")
    return marks.invisible_points(9, color=colour) | {
        "x": [float(at) for at in part[x]],
        "y": [float(value) for value in part["value"]],
        "customdata": [[code, str(int(at))] for at in part[x]],
        "hoverinfo": "text",
        "hovertext": hover,
    }


def _label_heights(
    ends: Sequence[_CurveEnd], near: float, line_of_type: float
) -> list[tuple[_CurveEnd, float]]:
    """Return where each label stands on the value axis: neighbours are one line of type apart.

    `near` is the distance on the horizontal axis within which two labels may overlap.
    """
    positions: list[tuple[_CurveEnd, float]] = []
    for end in sorted(ends):
        position = end.value
        neighbours = [height for other, height in positions if abs(other.x - end.x) < near]
        if neighbours:
            position = max(position, neighbours[-1] + line_of_type)
        positions.append((end, position))
    return positions
