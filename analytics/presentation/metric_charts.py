"""A frame and its metric → a figure, in the look of `analytics.presentation.theme`. The only home of plotly.

A figure is a plain dict {"data": […], "layout": {…}} that Plotly draws as it is: building one costs under two
milliseconds, with plotly.express fifty. Frames are answers of `analytics.metrics.query.ask`: split columns, numerator,
denominator, value, n. Marks carry the language-free code of what they show in `customdata`, never a label.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation.theme import axis, layout, look

Figure = dict[str, Any]


def _small(frame: pd.DataFrame) -> list[bool]:
    return [bool(n < MIN_GROUP_SIZE) for n in frame["n"]]


def _hover(row: Any, label: str, unit: str, lang: str) -> str:
    few = f"<br>{text.say('figure.few', lang)}" if row.n < MIN_GROUP_SIZE else ""
    return (
        f"<b>{html.escape(label)}</b><br>{text.number(row.value, unit, lang)}"
        f"<br>{text.say('figure.halves', lang, numerator=_plain(row.numerator), denominator=_plain(row.denominator))}"
        f"<br>n = {int(row.n):,}{few}"
    )


def _plain(value: float | None) -> str:
    return text.NOTHING if text.is_missing(value) else f"{float(value):,.0f}"


def _last_years(months: Sequence[str], values: Mapping[str, float]) -> list[float | None]:
    """The value of the same month a year before, None where there is none."""
    return [values.get(f"{int(month[:4]) - 1}{month[4:7]}") for month in months]


def trend(
    frame: pd.DataFrame, metric: Any, lang: str, *, dark: bool = False, show: int = 24, height: int = 260
) -> Figure:
    """A metric over month ends: the last `show` months solid, the same months a year before in grey where known.

    `frame` has as_of, value, numerator, denominator, n; one row per month.
    """
    tone = look(dark)
    rows = frame.sort_values("as_of")
    stamps = [str(day)[:10] for day in rows["as_of"]]
    by_month = {
        stamp[:7]: value for stamp, value in zip(stamps, rows["value"], strict=True) if not text.is_missing(value)
    }
    rows, stamps = rows.tail(show), stamps[-show:]
    before = _last_years(stamps, by_month)
    hover = [
        _hover(row, text.month(stamp, lang), metric.unit, lang)
        for row, stamp in zip(rows.itertuples(), stamps, strict=True)
    ]
    values = [None if text.is_missing(value) else float(value) for value in rows["value"]]
    lines = []
    if any(value is not None for value in before):
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": stamps,
                "y": before,
                "hoverinfo": "skip",
                "line": {"color": tone.faint, "width": 1.5},
                "name": text.say("figure.last_year", lang),
            }
        )
    lines.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": stamps,
            "y": values,
            "customdata": [[stamp] for stamp in stamps],
            "hovertext": hover,
            "hoverinfo": "text",
            "name": text.say("figure.actual", lang),
            "line": {"color": tone.ink, "width": 2},
            "marker": {"size": 5, "color": tone.ink},
        }
    )
    labels = [
        {
            "x": stamps[-1],
            "y": series[-1],
            "xanchor": "left",
            "xshift": 8,
            "showarrow": False,
            "text": said,
            "font": {"color": colour, "size": 12},
        }
        for series, said, colour in (
            (before, text.say("figure.last_year", lang), tone.grey),
            (values, text.number(values[-1], metric.unit, lang) if values else "", tone.ink),
        )
        if series and series[-1] is not None
    ]
    if len(labels) == 2 and values[-1] is not None:
        labels[0]["yshift"], labels[1]["yshift"] = (-9, 9) if values[-1] >= before[-1] else (9, -9)
    elif labels and not (values[-1] or 0):
        labels[-1]["yshift"] = 9
    step = max(1, len(stamps) // 6)
    shown = stamps[::-1][::step][::-1]
    return {
        "data": lines,
        "layout": layout(
            dark,
            height,
            margin={"r": 72},
            annotations=labels,
            xaxis={
                "type": "category",
                "tickvals": shown,
                "ticktext": [text.month(stamp, lang, short=True) for stamp in shown],
            },
            yaxis=axis([*values, *before], metric.unit, lang, tone),
        ),
    }


def bars(
    frame: pd.DataFrame,
    metric: Any,
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
    order: Sequence[str] | None = None,
    chosen: Sequence[str] = (),
    whole: float | None = None,
) -> Figure:
    """One bar per value of a split, from zero, labelled at its end; sorted by value, or by `order` for classes.

    `whole` draws the value of everybody as a thin line. Small groups (n < 30) are grey and say so.
    """
    tone = look(dark)
    rows = frame.assign(**{by: frame[by].astype("str")})
    if order is None:
        rows = rows.sort_values("value", ascending=False, na_position="last")
    else:
        place = {code: index for index, code in enumerate(order)}
        rows = rows.sort_values(by, key=lambda codes: codes.map(lambda code: place.get(code, len(place))))
    codes = list(rows[by])
    names = [labels.get(code, code) for code in codes]
    colours = [
        tone.faint if few else (tone.accent if not chosen or code in chosen else tone.faint)
        for code, few in zip(codes, _small(rows), strict=True)
    ]
    said = [
        text.number(row.value, metric.unit, lang)
        + (f"  {text.say('figure.few', lang)}" if row.n < MIN_GROUP_SIZE else "")
        for row in rows.itertuples()
    ]
    values = [None if text.is_missing(value) else float(value) for value in rows["value"]]
    scale = axis([*values, whole], metric.unit, lang, tone)
    scale["range"] = [scale["range"][0], scale["range"][1] * 1.18]
    scale |= {"showticklabels": False, "showgrid": False}
    shapes, notes, inside = [], [], [False] * len(values)
    if not text.is_missing(whole):
        # A label that would lie on the line of the whole stands within its bar where that is long even on a phone.
        reach = scale["range"][1] * 0.08
        inside = [value is not None and value > 2.5 * reach and 0 <= whole - value < reach for value in values]
        shapes = [
            {
                "type": "line",
                "x0": whole,
                "x1": whole,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": tone.grey, "width": 1, "dash": "dot"},
                "layer": "below",
            }
        ]
        notes = [
            {
                "x": whole,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"color": tone.grey, "size": 12},
                "text": f"{text.say('figure.whole', lang)} {text.number(whole, metric.unit, lang)}",
            }
        ]
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": values,
                "y": list(range(len(codes))),
                "customdata": [[code] for code in codes],
                "marker": {"color": colours},
                "text": said,
                "textposition": ["inside" if within else "outside" for within in inside],
                "insidetextanchor": "end",
                "insidetextfont": {"color": tone.paper, "size": 13},
                "constraintext": "none",
                "cliponaxis": False,
                "textfont": {"color": tone.ink},
                "hoverinfo": "text",
                "hovertext": [
                    _hover(row, name, metric.unit, lang) for row, name in zip(rows.itertuples(), names, strict=True)
                ],
                "selected": {"marker": {"opacity": 1}},
                "unselected": {"marker": {"opacity": 1}},
            }
        ],
        "layout": layout(
            dark,
            28 * max(2, len(codes)) + 30,
            bargap=0.35,
            shapes=shapes,
            annotations=notes,
            margin={"t": 22 if notes else 8},
            xaxis=scale,
            yaxis={
                "range": [len(codes) - 0.5, -0.5],
                "tickvals": list(range(len(codes))),
                "ticktext": [html.escape(name) for name in names],
                "tickfont": {"color": tone.ink, "size": 13},
            },
        ),
    }


def multiples(
    frame: pd.DataFrame,
    metric: Any,
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
    order: Sequence[str] | None = None,
    columns: int = 4,
) -> Figure:
    """A small line per value of a split, all on one scale. `frame` has as_of, the split and value."""
    tone = look(dark)
    frame = frame.assign(**{by: frame[by].astype("str")}).sort_values("as_of")
    codes = [code for code in order if code in set(frame[by])] if order is not None else list(dict.fromkeys(frame[by]))
    columns = max(1, min(columns, len(codes)))
    deep = math.ceil(len(codes) / columns) if codes else 1
    scale = axis(list(frame["value"]), metric.unit, lang, tone)
    page = layout(dark, 164 * deep + 10, margin={"l": 44, "r": 20, "t": 4})
    page["annotations"] = []
    months = [str(day)[:10] for day in sorted(set(frame["as_of"]))]
    data = []
    for place, code in enumerate(codes):
        part = frame[frame[by] == code]
        stamps = [str(day)[:10] for day in part["as_of"]]
        values = [None if text.is_missing(value) else float(value) for value in part["value"]]
        across, down = place % columns, place // columns
        left, right = across / columns, (across + 0.86) / columns
        top, bottom = 1 - down / deep - 0.16 / deep, 1 - (down + 1) / deep + 0.2 / deep
        tail = "" if place == 0 else str(place + 1)
        # The same months for all, whatever a line has: the first is named on the left of a row, the last on its right.
        is_last = across == columns - 1 or place == len(codes) - 1
        ends = ([months[0]] if across == 0 else []) + ([months[-1]] if is_last else [])
        few = int(part["n"].iloc[-1]) < MIN_GROUP_SIZE
        page[f"xaxis{tail}"] = page["xaxis"] | {
            "domain": [left, right],
            "anchor": f"y{tail}",
            "type": "category",
            "categoryorder": "array",
            "categoryarray": months,
            "range": [-0.2, len(months) - 0.8],
            "tickvals": ends,
            "ticktext": [text.month(stamp, lang, short=True) for stamp in ends],
            "ticklabelstandoff": 7,
        }
        page[f"yaxis{tail}"] = (
            page["yaxis"]
            | scale
            | {"domain": [bottom, top], "anchor": f"x{tail}", "showticklabels": across == 0, "automargin": False}
        )
        last = values[-1] if values else None
        page["annotations"].append(
            {
                "x": left,
                "y": top + 0.13 / deep,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "top",
                "showarrow": False,
                "text": f"<b>{html.escape(labels.get(code, code))}</b>  "
                + (text.say("figure.few", lang) if few else text.number(last, metric.unit, lang)),
                "font": {"size": 13, "color": tone.grey if few else tone.ink},
            }
        )
        data.append(
            {
                "type": "scatter",
                # Marks that are not seen: plotly selects no point of a bare line.
                "mode": "lines+markers",
                "marker": {"size": 8, "opacity": 0},
                "selected": {"marker": {"opacity": 0}},
                "unselected": {"marker": {"opacity": 0}},
                "x": stamps,
                "y": values,
                "xaxis": f"x{tail}",
                "yaxis": f"y{tail}",
                "line": {"color": tone.faint if few else tone.ink, "width": 1.6},
                "customdata": [[code]] * len(stamps),
                "hoverinfo": "text",
                "hovertext": [
                    _hover(row, f"{labels.get(code, code)} {text.month(stamp, lang)}", metric.unit, lang)
                    for row, stamp in zip(part.itertuples(), stamps, strict=True)
                ],
            }
        )
    return {"data": data, "layout": page}


def changes(
    frame: pd.DataFrame,
    metric: Any,
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
    order: Sequence[str] | None = None,
) -> Figure:
    """Before (grey dot) and now (ink dot) per value of a split, joined in the colour of the change's direction.

    `frame` is an answer with `compare`: value, value_before, change, n, n_before.
    """
    tone = look(dark)
    rows = frame.assign(**{by: frame[by].astype("str")})
    if order is None:
        rows = rows.sort_values("change", ascending=metric.better == "higher", na_position="last")
    else:
        place = {code: index for index, code in enumerate(order)}
        rows = rows.sort_values(by, key=lambda codes: codes.map(lambda code: place.get(code, len(place))))
    codes = list(rows[by])
    names = [labels.get(code, code) for code in codes]
    spots = list(range(len(codes)))
    now = [None if text.is_missing(value) else float(value) for value in rows["value"]]
    before = [None if text.is_missing(value) else float(value) for value in rows["value_before"]]
    shapes, notes = [], []
    for spot, row, new, old in zip(spots, rows.itertuples(), now, before, strict=True):
        moved = text.change(row.change, metric.unit, metric.better, lang)
        colour = tone.faint if row.n < MIN_GROUP_SIZE else tone.of(moved.verdict)
        if new is not None and old is not None:
            shapes.append(
                {
                    "type": "line",
                    "x0": old,
                    "x1": new,
                    "y0": spot,
                    "y1": spot,
                    "line": {"color": colour, "width": 3},
                    "layer": "below",
                }
            )
        notes.append(
            {
                "x": 1,
                "xref": "paper",
                "y": spot,
                "xanchor": "right",
                "xshift": 118,
                "showarrow": False,
                "font": {"color": colour, "size": 13},
                "text": text.say("figure.few", lang) if row.n < MIN_GROUP_SIZE else str(moved),
            }
        )
    scale = axis([*now, *before], metric.unit, lang, tone)
    hover = [_hover(row, name, metric.unit, lang) for row, name in zip(rows.itertuples(), names, strict=True)]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": before,
                "y": spots,
                "marker": {"size": 9, "color": tone.faint},
                "hoverinfo": "skip",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "x": now,
                "y": spots,
                "marker": {"size": 11, "color": tone.ink},
                "customdata": [[code] for code in codes],
                "hovertext": hover,
                "hoverinfo": "text",
            },
        ],
        "layout": layout(
            dark,
            30 * max(2, len(codes)) + 44,
            shapes=shapes,
            annotations=notes,
            margin={"r": 124},
            xaxis=scale,
            yaxis={
                "range": [len(codes) - 0.5, -0.5],
                "tickvals": spots,
                "ticktext": [html.escape(name) for name in names],
                "tickfont": {"color": tone.ink, "size": 13},
            },
        ),
    }


def heat(
    frame: pd.DataFrame,
    metric: Any,
    down: str,
    across: str,
    down_labels: Mapping[str, str],
    across_labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """A table of two splits, every value printed, a light tint for size; small cells say 样本不足 instead."""
    tone = look(dark)
    frame = frame.assign(**{down: frame[down].astype("str"), across: frame[across].astype("str")})
    rows, columns = (
        [c for c in down_labels if c in set(frame[down])],
        [c for c in across_labels if c in set(frame[across])],
    )
    cells = {(r, c): row for r, c, row in zip(frame[down], frame[across], frame.itertuples(), strict=True)}
    grid = [[cells.get((r, c)) for c in columns] for r in rows]
    shade = [
        [
            None if cell is None or cell.n < MIN_GROUP_SIZE or text.is_missing(cell.value) else float(cell.value)
            for cell in line
        ]
        for line in grid
    ]
    said = [
        [
            ""
            if cell is None
            else text.say("figure.few", lang)
            if cell.n < MIN_GROUP_SIZE
            else text.number(cell.value, metric.unit, lang)
            for cell in line
        ]
        for line in grid
    ]
    hover = [
        [
            "" if cell is None else _hover(cell, f"{down_labels[r]} · {across_labels[c]}", metric.unit, lang)
            for c, cell in zip(columns, line, strict=True)
        ]
        for r, line in zip(rows, grid, strict=True)
    ]
    return {
        "data": [
            {
                "type": "heatmap",
                "z": shade,
                "text": said,
                "texttemplate": "%{text}",
                "hovertext": hover,
                "hoverinfo": "text",
                "customdata": [[[r, c] for c in columns] for r in rows],
                "xgap": 2,
                "ygap": 2,
                "showscale": False,
                "zmin": 0,
                "colorscale": [[0, tone.paper], [1, "#c9d8e8" if not dark else "#2d4f73"]],
                "textfont": {"color": tone.ink},
            }
        ],
        "layout": layout(
            dark,
            34 * max(1, len(rows)) + 44,
            xaxis={
                "tickvals": list(range(len(columns))),
                "ticktext": [html.escape(across_labels[c]) for c in columns],
                "side": "top",
            },
            yaxis={
                "tickvals": list(range(len(rows))),
                "ticktext": [html.escape(down_labels[r]) for r in rows],
                "range": [len(rows) - 0.5, -0.5],
                "tickfont": {"color": tone.ink, "size": 13},
            },
        ),
    }


def drawn(figure: Figure) -> Any:
    """The figure as a checked `plotly.graph_objects.Figure`, for exports. Raises ValueError on an unknown property."""
    import plotly.graph_objects as go

    return go.Figure(figure)


@cache
def _as_it_is() -> type:
    from plotly.basedatatypes import BaseFigure

    class AsItIs(BaseFigure):
        """A figure that is not looked through again when it is sent, and gets no template."""

        def __init__(self, figure: Figure) -> None:
            self._figure = figure

        def to_dict(self) -> Figure:
            return self._figure

    return AsItIs


def sent(figure: Figure) -> Any:
    """The figure as `st.plotly_chart` takes it without a second look. A dict it would check property by property, five
    times as long as it took to make, and give a template: a new object each time that the browser looks at it, so that
    Plotly draws the whole chart once more."""
    return _as_it_is()(figure)


def warm() -> None:
    """Import Plotly now rather than under the first reader's eyes (0.4 s)."""
    drawn({"data": [], "layout": {}})
