"""Charts of classes: the months of one customer in every scheme, and moves from class to class."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.presentation import marks
from analytics.presentation.marks import Figure
from analytics.presentation.theme import Theme, fit_margins, layout, theme_for

_CHARACTERS_PER_MONTH = 3.2
"""Room for Chinese characters in one month of the history, on a page of ordinary width."""
_STRIP_HEIGHT = 24
_DAYS_HEIGHT = 84
"""Pixels of one scheme's strip, and of the bars of the days past due."""


def history(
    frame: pd.DataFrame,
    schemes: Mapping[str, tuple[str, Sequence[str], Mapping[str, str]]],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """Draw a strip per scheme with a column per month, and the days past due as bars below.

    Parameters
    ----------
    frame
        One row per month end: as_of, days_past_due, and a column of class codes per scheme.
    schemes
        Scheme → its name, its codes from best to worst, the words of each code. The worse the
        class, the darker the column.
    """
    theme = theme_for(dark)
    stamps = marks.iso_dates(frame["as_of"])
    shades = []
    hover = []
    labels = []
    for row, (scheme, (name, codes, words)) in enumerate(schemes.items()):
        classes = list(frame[scheme])
        shade = _class_shades([code for code in codes if code in set(words)])
        shades.append([shade.get(code) for code in classes])
        labels += _spell_labels(classes, words, row, theme)
        hover.append(_strip_hover(name, classes, words, stamps, lang))
    names = [html.escape(name) for name, _, _ in schemes.values()]
    days = [float(value) for value in frame["days_past_due"]]
    page = _history_page(stamps, names, days, lang, dark, theme)
    page["annotations"] = labels
    darkest = "#35597f" if dark else "#7fa3c7"
    strips = {
        "type": "heatmap",
        "x": stamps,
        "y": list(range(len(names))),
        "z": shades,
        "hovertext": hover,
        "hoverinfo": "text",
        "xgap": 1,
        "ygap": 2,
        "showscale": False,
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, theme.paper], [1, darkest]],
    }
    return {
        "data": [strips, _days_bars(stamps, days, lang, theme)],
        "layout": fit_margins(page),
    }


def _strip_hover(
    name: str, classes: Sequence[str], words: Mapping[str, str], stamps: Sequence[str], lang: str
) -> list[str]:
    texts = []
    for stamp, code in zip(stamps, classes, strict=True):
        word = html.escape(words.get(code, text.NOTHING))
        texts.append(f"<b>{html.escape(name)}</b><br>{text.month(stamp, lang)}<br>{word}")
    return texts


def _history_page(
    stamps: list[str], names: list[str], days: list[float], lang: str, dark: bool, theme: Theme
) -> dict[str, Any]:
    """Return the layout: the strips above, the days past due on an axis of their own below."""
    strips_height = _STRIP_HEIGHT * len(names)
    share_of_days = _DAYS_HEIGHT / (_DAYS_HEIGHT + strips_height)
    page = layout(
        dark,
        _DAYS_HEIGHT + strips_height + 40,
        xaxis=marks.month_ticks(stamps, lang, 8) | {"anchor": "y2"},
        yaxis=marks.row_axis(names, theme, 12) | {"domain": [share_of_days + 0.04, 1]},
    )
    top = max([*days, 90.0])
    page["yaxis2"] = page["yaxis"] | {
        "domain": [0, share_of_days - 0.02],
        "range": [0, top * 1.25],
        "anchor": "x",
        "tickvals": [top * 0.5],
        "ticktext": [html.escape(text.say("card.days_past_due", lang))],
    }
    return page


def _class_shades(ladder: Sequence[str]) -> dict[str, float]:
    """Return 0.15 for the best class to 1 for the worst; classes outside the ladder have none."""
    steps = max(1, len(ladder) - 1)
    return {code: 0.15 + 0.85 * rank / steps for rank, code in enumerate(ladder)}


def _spell_labels(
    classes: Sequence[str], words: Mapping[str, str], row: int, theme: Theme
) -> list[dict[str, Any]]:
    """Return the name of a class at the beginning of every run of months in it."""
    starts = [i for i, code in enumerate(classes) if i == 0 or code != classes[i - 1]]
    place = {"xref": "x", "yref": "y", "xanchor": "left", "xshift": 3}
    labels = []
    for start, end in pairwise([*starts, len(classes)]):
        room = (end - start) * _CHARACTERS_PER_MONTH
        word = _shortened(words.get(classes[start], text.NOTHING), room)
        labels.append(marks.note(start - 0.5, row, html.escape(word), theme.ink, 10, **place))
    return labels


def _days_bars(stamps: list[str], days: list[float], lang: str, theme: Theme) -> dict[str, Any]:
    labels = [text.number(day, "days", lang) for day in days]
    nonzero = [label if day else "" for label, day in zip(labels, days, strict=True)]
    return marks.labels_at_end(nonzero, theme, 10) | {
        "type": "bar",
        "x": stamps,
        "y": days,
        "yaxis": "y2",
        "hoverinfo": "text",
        "marker": {"color": [theme.bad if day > 30 else theme.grey for day in days]},
        "hovertext": [
            f"{text.month(stamp, lang)}<br>{label}"
            for stamp, label in zip(stamps, labels, strict=True)
        ],
    }


def _shortened(word: str, room: float) -> str:
    """Return as much of a word as fits, with an ellipsis; `room` in Chinese characters."""
    widths = [1.0 if ord(letter) > 0x2E7F else 0.55 for letter in word]
    if sum(widths) <= room:
        return word
    length = max((n for n in range(len(word)) if sum(widths[:n]) + 1 <= room), default=0)
    return word[:length].rstrip() + "…" if length else ""


def moves(
    frame: pd.DataFrame,
    codes: Sequence[str],
    words: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """Draw a table of classes: down as graded before, across as graded after.

    Who stays is grey; who moves is tinted by number. `frame` has class_from, class_to, n.
    """
    theme = theme_for(dark)
    present = set(frame["class_from"]) | set(frame["class_to"])
    classes = [code for code in codes if code in present]
    counts = _counts(frame)
    most = max((n for (before, after), n in counts.items() if before != after), default=1)
    shades = []
    labels = []
    hover = []
    for before in classes:
        line = [(after, counts.get((before, after))) for after in classes]
        shades.append([_move_shade(n, before == after, most) for after, n in line])
        labels.append(["" if n is None else f"{n:,}" for _, n in line])
        hover.append(
            [
                ""
                if n is None
                else f"{html.escape(words[before])} → {html.escape(words[after])}<br>n = {n:,}"
                for after, n in line
            ]
        )
    names = [html.escape(words[code]) for code in classes]
    rows = marks.row_axis(names, theme)
    columns = {key: value for key, value in rows.items() if key != "range"}
    colours = [
        [0, theme.paper],
        [0.12, theme.rule],
        [0.3, "#22344a" if dark else "#dbe6f1"],
        [1, _strongest_tint(dark)],
    ]
    return {
        "data": [_table_cells(shades, labels, hover, colours, theme)],
        "layout": layout(
            dark, 34 * max(2, len(classes)) + 50, xaxis=columns | {"side": "top"}, yaxis=rows
        ),
    }


def _move_shade(n: int | None, stays: bool, most: int) -> float | None:
    if n is None:
        return None
    if stays:
        return 0.12
    return 0.3 + 0.7 * n / most


def cross(
    frame: pd.DataFrame,
    down: Mapping[str, str],
    across: Mapping[str, str],
    *,
    dark: bool = False,
) -> Figure:
    """Draw two schemes against each other: every cell its number, tinted by its share of the row.

    `frame` has class_from, class_to, n; `down` and `across` map the codes of the two schemes to
    their words, in order. The labels of rows and columns carry the sums.
    """
    theme = theme_for(dark)
    counts = _counts(frame)
    present_down = {code for code, _ in counts}
    present_across = {code for _, code in counts}
    rows = [code for code in down if code in present_down]
    columns = [code for code in across if code in present_across]
    row_labels = []
    shades = []
    labels = []
    hover = []
    for code in rows:
        line = [counts.get((code, other), 0) for other in columns]
        whole = sum(line)
        name = html.escape(down[code])
        row_labels.append(f"{name}  {whole:,}")
        shades.append([n / whole for n in line])
        labels.append(
            [
                f"{n:,}" if (code, other) in counts else ""
                for other, n in zip(columns, line, strict=True)
            ]
        )
        hover.append(
            [
                f"<b>{name} · {html.escape(across[other])}</b><br>n = {n:,}<br>{n / whole:.2%}"
                for other, n in zip(columns, line, strict=True)
            ]
        )
    column_labels = []
    for other in columns:
        whole = sum(counts.get((code, other), 0) for code in rows)
        column_labels.append(f"{html.escape(across[other])}<br>{whole:,}")
    colours = [[0, theme.paper], [1, _strongest_tint(dark)]]
    return {
        "data": [_table_cells(shades, labels, hover, colours, theme)],
        "layout": layout(
            dark,
            34 * max(2, len(rows)) + 66,
            xaxis={
                "tickvals": list(range(len(columns))),
                "ticktext": column_labels,
                "side": "top",
            },
            yaxis=marks.row_axis(row_labels, theme),
        ),
    }


def _counts(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    return {(row.class_from, row.class_to): int(row.n) for row in marks.records(frame)}


def _strongest_tint(dark: bool) -> str:
    return "#3c648f" if dark else "#8fb3d6"


def _table_cells(
    shades: list[list[Any]],
    labels: list[list[str]],
    hover: list[list[str]],
    colours: list[list[Any]],
    theme: Theme,
) -> dict[str, Any]:
    """Return a heatmap whose cells print their labels; shades from 0 to 1."""
    return {
        "type": "heatmap",
        "z": shades,
        "text": labels,
        "texttemplate": "%{text}",
        "hovertext": hover,
        "hoverinfo": "text",
        "xgap": 2,
        "ygap": 2,
        "showscale": False,
        "zmin": 0,
        "zmax": 1,
        "colorscale": colours,
        "textfont": {"color": theme.ink},
    }
