"""Figures of classes: a customer's months in every scheme, and who moves from class to class. Dicts as in `figures`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.presentation.theme import LIGHT, layout, look, roomy

Figure = dict[str, Any]

# How many Chinese characters a month of the history has room for, on a page of ordinary width.
_CELL = 3.2


def history(
    frame: pd.DataFrame,
    schemes: Mapping[str, tuple[str, Sequence[str], Mapping[str, str]]],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """A strip per scheme, a column per month: the darker, the worse the class; below it the days past due as bars.

    `frame` has as_of, days_past_due and a class column per scheme; `schemes` maps a scheme to its name, its codes
    from best to worst, and the words of each code.
    """
    tone = look(dark)
    stamps = [str(day)[:10] for day in frame["as_of"]]
    shades, hover, written = [], [], []
    for row, (scheme, (name, codes, words)) in enumerate(schemes.items()):
        ladder = [code for code in codes if code in set(words)]
        # shades 0.15 for the best to 1 for the worst; classes outside the ladder have none
        place = {code: 0.15 + 0.85 * rank / max(1, len(ladder) - 1) for rank, code in enumerate(ladder)}
        line = list(frame[scheme])
        shades.append([place.get(code) for code in line])
        starts = [i for i, code in enumerate(line) if i == 0 or code != line[i - 1]]
        for start, end in pairwise([*starts, len(line)]):
            word = _fitted(words.get(line[start], text.NOTHING), (end - start) * _CELL)
            written.append(
                {
                    "x": start - 0.5, "y": row, "xref": "x", "yref": "y", "xanchor": "left", "xshift": 3,
                    "showarrow": False, "text": html.escape(word), "font": {"size": 10, "color": tone.ink},
                }
            )  # fmt: skip
        hover.append([
            f"<b>{html.escape(name)}</b><br>{text.month(stamp, lang)}<br>{html.escape(words.get(code, text.NOTHING))}"
            for stamp, code in zip(stamps, line, strict=True)
        ])  # fmt: skip
    names = [html.escape(name) for name, _, _ in schemes.values()]
    days = [float(value) for value in frame["days_past_due"]]
    step = max(1, len(stamps) // 8)
    shown = stamps[::-1][::step][::-1]
    rows = len(names)
    part = 84 / (84 + 24 * rows)
    page = layout(
        dark,
        84 + 24 * rows + 40,
        xaxis={
            "type": "category", "tickvals": shown, "anchor": "y2",
            "ticktext": [text.month(stamp, lang, short=True) for stamp in shown],
        },
        yaxis={
            "domain": [part + 0.04, 1], "range": [rows - 0.5, -0.5], "tickvals": list(range(rows)), "ticktext": names,
            "tickfont": {"color": tone.ink, "size": 12},
        },
    )  # fmt: skip
    page["annotations"] = written
    top = max([*days, 90.0])
    page["yaxis2"] = page["yaxis"] | {
        "domain": [0, part - 0.02], "range": [0, top * 1.25], "anchor": "x",
        "tickvals": [top * 0.5], "ticktext": [html.escape(text.say("card.days_past_due", lang))],
    }  # fmt: skip
    return {
        "data": [
            {
                "type": "heatmap", "x": stamps, "y": list(range(rows)), "z": shades, "hovertext": hover,
                "hoverinfo": "text", "xgap": 1, "ygap": 2,
                "showscale": False, "zmin": 0, "zmax": 1,
                "colorscale": [[0, tone.paper], [1, "#7fa3c7" if tone is LIGHT else "#35597f"]],
            },
            {
                "type": "bar", "x": stamps, "y": days, "yaxis": "y2", "hoverinfo": "text",
                "marker": {"color": [tone.bad if day > 30 else tone.grey for day in days]},
                "hovertext": [
                    f"{text.month(stamp, lang)}<br>{text.number(day, 'days', lang)}"
                    for stamp, day in zip(stamps, days, strict=True)
                ],
                "text": [text.number(day, "days", lang) if day else "" for day in days], "textposition": "outside",
                "cliponaxis": False, "textfont": {"size": 10, "color": tone.ink},
            },
        ],
        "layout": roomy(page),
    }  # fmt: skip


def _fitted(word: str, room: float) -> str:
    """As much of a word as a strip of the history has room for, in Chinese characters."""
    widths = [1.0 if ord(letter) > 0x2E7F else 0.55 for letter in word]
    if sum(widths) <= room:
        return word
    kept = max((n for n in range(len(word)) if sum(widths[:n]) + 1 <= room), default=0)
    return word[:kept].rstrip() + "…" if kept else ""


def moves(
    frame: pd.DataFrame, codes: Sequence[str], words: Mapping[str, str], lang: str, *, dark: bool = False
) -> Figure:
    """A table of classes: down as graded before, across as graded after; who stays is grey, who moves is tinted by
    number.

    `frame` has class_from, class_to, n.
    """
    tone = look(dark)
    there = [code for code in codes if code in set(frame["class_from"]) | set(frame["class_to"])]
    n = {(row.class_from, row.class_to): int(row.n) for row in frame.itertuples()}
    most = max([count for (before, after), count in n.items() if before != after], default=1)
    shade, said, hover = [], [], []
    for before in there:
        line = [n.get((before, after)) for after in there]
        shade.append([
            None if count is None else 0.12 if before == after else 0.3 + 0.7 * count / most
            for after, count in zip(there, line, strict=True)
        ])  # fmt: skip
        said.append(["" if count is None else f"{count:,}" for count in line])
        hover.append([
            "" if count is None else f"{html.escape(words[before])} → {html.escape(words[after])}<br>n = {count:,}"
            for after, count in zip(there, line, strict=True)
        ])  # fmt: skip
    names = [html.escape(words[code]) for code in there]
    axis = {"tickvals": list(range(len(there))), "ticktext": names, "tickfont": {"color": tone.ink, "size": 13}}
    return {
        "data": [
            {
                "type": "heatmap", "z": shade, "text": said, "texttemplate": "%{text}", "hovertext": hover,
                "hoverinfo": "text", "xgap": 2, "ygap": 2, "showscale": False, "zmin": 0, "zmax": 1,
                "colorscale": [[0, tone.paper], [0.12, tone.rule], [0.3, "#dbe6f1" if tone is LIGHT else "#22344a"],
                               [1, "#8fb3d6" if tone is LIGHT else "#3c648f"]],
                "textfont": {"color": tone.ink},
            }
        ],
        "layout": layout(
            dark, 34 * max(2, len(there)) + 50, xaxis=axis | {"side": "top"},
            yaxis=axis | {"range": [len(there) - 0.5, -0.5]},
        ),
    }  # fmt: skip


def cross(frame: pd.DataFrame, down: Mapping[str, str], across: Mapping[str, str], *, dark: bool = False) -> Figure:
    """Two schemes against each other: every cell its number, tinted by its share of the row, with the margins.

    `frame` has class_from, class_to, n; `down` and `across` are the words of the two schemes' codes, in order.
    """
    tone = look(dark)
    n = {(row.class_from, row.class_to): int(row.n) for row in frame.itertuples()}
    rows = [code for code in down if any(code == one for one, _ in n)]
    columns = [code for code in across if any(code == other for _, other in n)]
    whole = {code: sum(n.get((code, other), 0) for other in columns) for code in rows}
    shade = [[n.get((code, other), 0) / whole[code] for other in columns] for code in rows]
    said = [[f"{n[code, other]:,}" if (code, other) in n else "" for other in columns] for code in rows]
    hover = [
        [
            f"<b>{html.escape(down[code])} · {html.escape(across[other])}</b><br>n = {n.get((code, other), 0):,}"
            f"<br>{n.get((code, other), 0) / whole[code]:.2%}"
            for other in columns
        ]
        for code in rows
    ]
    tops = [f"{html.escape(across[other])}<br>{sum(n.get((code, other), 0) for code in rows):,}" for other in columns]
    sides = [f"{html.escape(down[code])}  {whole[code]:,}" for code in rows]
    return {
        "data": [
            {
                "type": "heatmap", "z": shade, "text": said, "texttemplate": "%{text}", "hovertext": hover,
                "hoverinfo": "text", "xgap": 2, "ygap": 2, "showscale": False, "zmin": 0, "zmax": 1,
                "colorscale": [[0, tone.paper], [1, "#8fb3d6" if tone is LIGHT else "#3c648f"]],
                "textfont": {"color": tone.ink},
            }
        ],
        "layout": layout(
            dark, 34 * max(2, len(rows)) + 66,
            xaxis={"tickvals": list(range(len(columns))), "ticktext": tops, "side": "top"},
            yaxis={"tickvals": list(range(len(rows))), "ticktext": sides, "range": [len(rows) - 0.5, -0.5],
                   "tickfont": {"color": tone.ink, "size": 13}},
        ),
    }  # fmt: skip
