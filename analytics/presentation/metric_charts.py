"""Charts of metrics: trend, bars, small multiples.

A chart is a plain dict {"data": […], "layout": {…}} that Plotly draws unchanged: building one takes
under two milliseconds, with plotly.express fifty. Frames are answers of
`analytics.metrics.query.ask`: dimension columns, numerator, denominator, value, n. Marks carry the
language-free code of what they show in `customdata`, never a label.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.presentation import marks
from analytics.presentation.marks import Figure, MetricFormat
from analytics.presentation.theme import Theme, layout, theme_for, value_axis


def trend(
    frame: pd.DataFrame,
    metric: MetricFormat,
    lang: str,
    *,
    dark: bool = False,
    show: int = 24,
    height: int = 260,
) -> Figure:
    """Draw a metric over month ends, and the same months a year before in grey.

    Parameters
    ----------
    frame
        One row per month end: as_of, value, numerator, denominator, n.
    show
        How many of the last months are drawn; earlier rows serve only as the year before.
    """
    theme = theme_for(dark)
    rows = frame.sort_values("as_of")
    stamps = marks.iso_dates(rows["as_of"])
    by_month = {
        stamp[:7]: value
        for stamp, value in zip(stamps, rows["value"], strict=True)
        if not text.is_missing(value)
    }
    rows = rows.tail(show)
    stamps = stamps[-show:]
    last_year = _last_year_values(stamps, by_month)
    values = marks.numbers(rows["value"])
    lines = []
    if any(value is not None for value in last_year):
        lines.append(_last_year_line(stamps, last_year, lang, theme))
    hover = [
        marks.hover(row, text.month(stamp, lang), metric.unit, lang)
        for row, stamp in zip(marks.records(rows), stamps, strict=True)
    ]
    lines.append(_actual_line(stamps, values, hover, lang, theme))
    return {
        "data": lines,
        "layout": layout(
            dark,
            height,
            margin={"r": 72},
            annotations=_end_labels(stamps, values, last_year, metric.unit, lang, theme),
            xaxis=marks.month_ticks(stamps, lang, 6),
            yaxis=value_axis([*values, *last_year], metric.unit, lang, theme),
        ),
    }


def _last_year_values(months: Sequence[str], values: Mapping[str, float]) -> list[float | None]:
    """Return the value of the same month a year before, None where there is none."""
    return [values.get(f"{int(month[:4]) - 1}{month[4:7]}") for month in months]


def _last_year_line(
    stamps: list[str], values: list[float | None], lang: str, theme: Theme
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": stamps,
        "y": values,
        "hoverinfo": "skip",
        "line": {"color": theme.faint, "width": 1.5},
        "name": text.say("figure.last_year", lang),
    }


def _actual_line(
    stamps: list[str], values: list[float | None], hover: list[str], lang: str, theme: Theme
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": stamps,
        "y": values,
        "customdata": [[stamp] for stamp in stamps],
        "hovertext": hover,
        "hoverinfo": "text",
        "name": text.say("figure.actual", lang),
        "line": {"color": theme.ink, "width": 2},
        "marker": {"size": 5, "color": theme.ink},
    }


def _end_labels(
    stamps: list[str],
    values: list[float | None],
    last_year: list[float | None],
    unit: str,
    lang: str,
    theme: Theme,
) -> list[dict[str, Any]]:
    """Return the labels at the right end of both lines, moved apart where both are there."""
    if not stamps:
        return []
    now = values[-1]
    before = last_year[-1]
    beside: dict[str, Any] = {"xanchor": "left", "xshift": 8}
    labels = []
    if before is not None:
        words = text.say("figure.last_year", lang)
        labels.append(marks.note(stamps[-1], before, words, theme.grey, **beside))
    if now is not None:
        words = text.number(now, unit, lang)
        labels.append(marks.note(stamps[-1], now, words, theme.ink, **beside))
    if now is not None and before is not None:
        shift = 9 if now >= before else -9
        labels[0]["yshift"] = -shift
        labels[1]["yshift"] = shift
    elif labels and not now:
        labels[-1]["yshift"] = 9
    return labels


def bars(
    frame: pd.DataFrame,
    metric: MetricFormat,
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
    order: Sequence[str] | None = None,
    chosen: Sequence[str] = (),
    whole: float | None = None,
) -> Figure:
    """Draw one horizontal bar per value of a dimension, from zero, labelled at its end.

    Parameters
    ----------
    frame
        One row per value of the dimension `by`; small groups (n < 30) are grey and say so.
    order
        Codes from top to bottom; without it bars are sorted by value, largest first.
    chosen
        Codes in the accent colour; all of them where it is empty.
    whole
        The value of all customers or loans, drawn as a thin line.
    """
    theme = theme_for(dark)
    rows = _sorted_rows(frame, by, order)
    names = [labels.get(code, code) for code in rows[by]]
    scale = value_axis([*marks.numbers(rows["value"]), whole], metric.unit, lang, theme)
    scale["range"] = [scale["range"][0], scale["range"][1] * 1.18]
    shapes = []
    notes = []
    if whole is not None and not text.is_missing(whole):
        shapes.append(marks.whole_line(whole, theme))
        notes.append(marks.whole_note(whole, metric.unit, lang, theme))
    trace = _bar_trace(rows, by, names, metric.unit, chosen, lang, theme)
    trace["textposition"] = _label_positions(trace["x"], whole, scale["range"][1])
    return {
        "data": [trace],
        "layout": layout(
            dark,
            28 * max(2, len(names)) + 30,
            bargap=0.35,
            shapes=shapes,
            annotations=notes,
            margin={"t": 22 if notes else 8},
            xaxis=marks.without_ticks(scale),
            yaxis=marks.row_axis([html.escape(name) for name in names], theme),
        ),
    }


def _bar_trace(
    rows: pd.DataFrame,
    by: str,
    names: Sequence[str],
    unit: str,
    chosen: Sequence[str],
    lang: str,
    theme: Theme,
) -> dict[str, Any]:
    codes = list(rows[by])
    return marks.horizontal_bars(
        marks.numbers(rows["value"]),
        list(range(len(codes))),
        [_bar_colour(code, n, chosen, theme) for code, n in zip(codes, rows["n"], strict=True)],
        **marks.labels_at_end(_bar_labels(rows, unit, lang), theme),
        **marks.KEEP_OPACITY,
        customdata=[[code] for code in codes],
        insidetextanchor="end",
        insidetextfont={"color": theme.paper, "size": 13},
        constraintext="none",
        hovertext=[
            marks.hover(row, name, unit, lang)
            for row, name in zip(marks.records(rows), names, strict=True)
        ],
    )


def _sorted_rows(frame: pd.DataFrame, by: str, order: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows in the order of `order`, other codes last; without it by value."""
    rows = frame.assign(**{by: frame[by].astype("str")})
    if order is None:
        return rows.sort_values("value", ascending=False, na_position="last")
    rank = {code: index for index, code in enumerate(order)}
    return rows.sort_values(by, key=lambda codes: codes.map(lambda code: rank.get(code, len(rank))))


def _bar_colour(code: str, n: float, chosen: Sequence[str], theme: Theme) -> str:
    if marks.is_small(n) or (chosen and code not in chosen):
        return theme.faint
    return theme.accent


def _bar_labels(rows: pd.DataFrame, unit: str, lang: str) -> list[str]:
    labels = []
    for row in marks.records(rows):
        few = marks.small_group_note(row.n, lang)
        number = text.number(row.value, unit, lang)
        labels.append(f"{number}  {few}" if few else number)
    return labels


def _label_positions(
    values: Sequence[float | None], whole: float | None, scale_end: float
) -> list[str]:
    """Return where each label stands: inside its bar where it would lie on the line of the whole.

    Only a bar long enough for its label, on a telephone too, has it inside.
    """
    if whole is None or text.is_missing(whole):
        return ["outside"] * len(values)
    reach = scale_end * 0.08
    positions = []
    for value in values:
        is_inside = value is not None and value > 2.5 * reach and 0 <= whole - value < reach
        positions.append("inside" if is_inside else "outside")
    return positions


def multiples(
    frame: pd.DataFrame,
    metric: MetricFormat,
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
    order: Sequence[str] | None = None,
    columns: int = 4,
) -> Figure:
    """Draw a small line per value of a dimension, all on one scale.

    `frame` has as_of, the dimension `by`, value, numerator, denominator and n.
    """
    theme = theme_for(dark)
    frame = frame.assign(**{by: frame[by].astype("str")}).sort_values("as_of")
    codes = list(dict.fromkeys(frame[by]))
    if order is not None:
        present = set(codes)
        codes = [code for code in order if code in present]
    columns = max(1, min(columns, len(codes)))
    lines_of_panels = math.ceil(len(codes) / columns) if codes else 1
    scale = value_axis(list(frame["value"]), metric.unit, lang, theme)
    page = layout(dark, 164 * lines_of_panels + 10, margin={"l": 44, "r": 20, "t": 4})
    page["annotations"] = []
    months = marks.iso_dates(sorted(set(frame["as_of"])))
    data = []
    for index, code in enumerate(codes):
        part = frame[frame[by] == code]
        name = labels.get(code, code)
        suffix = "" if index == 0 else str(index + 1)
        panel = _Panel(index, columns, lines_of_panels, is_last=index == len(codes) - 1)
        few = marks.small_group_note(part["n"].iloc[-1], lang)
        trace = _panel_line(part, code, name, metric.unit, lang)
        trace["line"] = {"color": theme.faint if few else theme.ink, "width": 1.6}
        trace["xaxis"] = f"x{suffix}"
        trace["yaxis"] = f"y{suffix}"
        data.append(trace)
        page[f"xaxis{suffix}"] = (
            page["xaxis"] | panel.month_axis(months, lang) | {"anchor": f"y{suffix}"}
        )
        page[f"yaxis{suffix}"] = (
            page["yaxis"] | scale | panel.scale_axis() | {"anchor": f"x{suffix}"}
        )
        last_value = few or text.number(trace["y"][-1], metric.unit, lang)
        title = f"<b>{html.escape(name)}</b>  {last_value}"
        page["annotations"].append(panel.title(title, theme.grey if few else theme.ink))
    return {"data": data, "layout": page}


def _panel_line(part: pd.DataFrame, code: str, name: str, unit: str, lang: str) -> dict[str, Any]:
    stamps = marks.iso_dates(part["as_of"])
    return marks.invisible_points(8) | {
        "x": stamps,
        "y": marks.numbers(part["value"]),
        "customdata": [[code]] * len(stamps),
        "hoverinfo": "text",
        "hovertext": [
            marks.hover(row, f"{name} {text.month(stamp, lang)}", unit, lang)
            for row, stamp in zip(marks.records(part), stamps, strict=True)
        ],
    }


class _Panel:
    """One small chart within a grid: where its axes lie, in shares of the paper."""

    def __init__(self, index: int, columns: int, lines: int, is_last: bool) -> None:
        self._column = index % columns
        self._is_right_end = is_last or self._column == columns - 1
        self._lines = lines
        line = index // columns
        self._left = self._column / columns
        self._right = (self._column + 0.86) / columns
        self._top = 1 - line / lines - 0.16 / lines
        self._bottom = 1 - (line + 1) / lines + 0.2 / lines

    def month_axis(self, months: list[str], lang: str) -> dict[str, Any]:
        """Return the same months for every panel, whatever months its own line has.

        The first month is named at the left end of a line of panels, the last at its right end.
        """
        labelled = []
        if self._column == 0:
            labelled.append(months[0])
        if self._is_right_end:
            labelled.append(months[-1])
        return {
            "domain": [self._left, self._right],
            "type": "category",
            "categoryorder": "array",
            "categoryarray": months,
            "range": [-0.2, len(months) - 0.8],
            "tickvals": labelled,
            "ticktext": [text.month(stamp, lang, short=True) for stamp in labelled],
            "ticklabelstandoff": 7,
        }

    def scale_axis(self) -> dict[str, Any]:
        return {
            "domain": [self._bottom, self._top],
            "showticklabels": self._column == 0,
            "automargin": False,
        }

    def title(self, words: str, colour: str) -> dict[str, Any]:
        place = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "top"}
        return marks.note(self._left, self._top + 0.13 / self._lines, words, colour, 13, **place)
