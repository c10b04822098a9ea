"""Charts of segments: later outcomes, value beside the classes, a map, the weight of facts.

The map is a `Scene` for deck.gl; the others are Plotly dicts.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.presentation import marks
from analytics.presentation.marks import Figure
from analytics.presentation.theme import FONT, Theme, layout, theme_for, value_axis

ZOOM = 7.4
"""Half of the wider side of the map takes two to this power pixels: 169, which fit a telephone."""


def outcomes(table: pd.DataFrame, whole: float | None, lang: str, *, dark: bool = False) -> Figure:
    """Draw later overdue per segment: a dot with its 95 % interval, and the rate of all customers.

    `table` is that of `Segments.table`; segments with n < 30 are grey and say so.
    """
    theme = theme_for(dark)
    rows = marks.records(table)
    colours = [_outcome_colour(row, theme) for row in rows]
    labels = [_outcome_label(row, lang) for row in rows]
    names = [_segment_label(row, lang) for row in rows]
    ends = [float(row.overdue_high) for row in rows if not text.is_missing(row.overdue_high)]
    if whole is not None and not text.is_missing(whole):
        ends.append(whole)
    scale = value_axis(ends, "rate", lang, theme)
    scale["range"] = [0, max([*ends, 0.01]) * 1.3]
    shapes = []
    notes = []
    for index, (row, colour, label) in enumerate(zip(rows, colours, labels, strict=True)):
        end = 0
        if not text.is_missing(row.overdue):
            end = row.overdue_high
            interval = (row.overdue_low, row.overdue_high)
            shapes.append(marks.line(interval, (index, index), colour, 3, layer="below"))
        notes.append(marks.note(end, index, label, theme.ink, 13, xanchor="left", xshift=8))
    if whole is not None and not text.is_missing(whole):
        shapes.append(marks.whole_line(whole, theme))
        notes.append(marks.whole_note(whole, "rate", lang, theme))
    dots = {
        "type": "scatter",
        "mode": "markers",
        "y": list(range(len(rows))),
        "x": [None if text.is_missing(row.overdue) else row.overdue for row in rows],
        "marker": {"size": 10, "color": colours},
        "customdata": [[row.segment] for row in rows],
        "hoverinfo": "text",
        "hovertext": [
            f"<b>{name}</b><br>{label}<br>n = {row.overdue_n:,}"
            for name, label, row in zip(names, labels, rows, strict=True)
        ],
    }
    page = layout(
        dark,
        38 * max(2, len(rows)) + 30,
        shapes=shapes,
        annotations=notes,
        margin={"t": 22},
        xaxis=marks.without_ticks(scale),
        yaxis=marks.row_axis(names, theme),
    )
    return {"data": [dots], "layout": page}


def _outcome_colour(row: Any, theme: Theme) -> str:
    if marks.is_small(row.overdue_n):
        return theme.faint
    if row.verdict == "plain":
        return theme.ink
    return theme.verdict_colour(row.verdict)


def _outcome_label(row: Any, lang: str) -> str:
    rate = text.number(row.overdue, "rate", lang)
    few = marks.small_group_note(row.overdue_n, lang)
    return f"{rate}  {few}" if few else rate


def _segment_label(row: Any, lang: str) -> str:
    # The column "zh-CN" is no Python identifier: itertuples names it by its position.
    name = row._2 if lang == "zh-CN" else row.en
    return html.escape(name).replace(", ", ",<br>")


def validation(rows: pd.DataFrame, lang: str, *, dark: bool = False) -> Figure:
    """Draw the AUC of the classes, of the segments and of both, one line per outcome.

    Each line says what both together gain over the classes alone. `rows` is that of
    `Segments.validation`; an outcome that could not be judged has no dots.
    """
    theme = theme_for(dark)
    models = (
        ("class", theme.grey, "circle"),
        ("segment", theme.ink, "circle-open"),
        ("both", theme.accent, "circle"),
    )
    results = [dict(row) for row in rows.to_dict("records")]
    names = [text.say(f"segments.outcome_{row['outcome']}", lang) for row in results]
    shapes = []
    notes = []
    for index, row in enumerate(results):
        aucs = [
            row[f"{model}_auc"]
            for model, _, _ in models
            if not text.is_missing(row.get(f"{model}_auc"))
        ]
        if aucs:
            span = (min(aucs), max(aucs))
            shapes.append(marks.line(span, (index, index), theme.faint, 2, layer="below"))
        notes.append(_gain_note(row, index, lang, theme))
    data = [
        _auc_dots(results, names, model, colour, symbol, lang) for model, colour, symbol in models
    ]
    page = layout(
        dark,
        52 * max(2, len(results)) + 62,
        shapes=shapes,
        annotations=notes,
        margin={"t": 34},
        title=_auc_key(models, lang, theme),
        xaxis=_auc_axis(data, theme),
        yaxis=marks.row_axis([html.escape(name) for name in names], theme),
    )
    return {"data": data, "layout": page}


def _gain_note(row: Mapping[str, Any], index: int, lang: str, theme: Theme) -> dict[str, Any]:
    words = text.say(f"segments.gain_{row['verdict']}", lang, **_gain(row))
    colour = theme.ink if row["verdict"] == "adds" else theme.grey
    note = marks.note(1, index, words, colour, 13, xref="paper", xanchor="right")
    return note | {"yanchor": "bottom", "yshift": 7, "bgcolor": theme.paper}


def _gain(row: Mapping[str, Any]) -> dict[str, str]:
    values = {"events": f"{row['events']:,}"}
    for name in ("gain", "gain_low", "gain_high"):
        if text.is_missing(row.get(name)):
            values[name] = text.NOTHING
        else:
            values[name] = f"{row[name]:+z.3f}".replace("-", "−")
    return values


def _auc_dots(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    model: str,
    colour: str,
    symbol: str,
    lang: str,
) -> dict[str, Any]:
    model_name = text.say(f"segments.auc_{model}", lang)
    values = []
    hover = []
    for row, outcome in zip(rows, names, strict=True):
        auc = row.get(f"{model}_auc")
        if text.is_missing(auc):
            values.append(None)
            hover.append("")
        else:
            values.append(auc)
            hover.append(f"<b>{html.escape(outcome)}</b><br>{model_name} AUC {auc:.3f}")
    outline = {"width": 2, "color": colour}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": model_name,
        "y": list(range(len(rows))),
        "x": values,
        "hoverinfo": "text",
        "marker": {"size": 11, "color": colour, "symbol": symbol, "line": outline},
        "hovertext": hover,
    }


def _auc_axis(data: Sequence[Mapping[str, Any]], theme: Theme) -> dict[str, Any]:
    aucs = [auc for trace in data for auc in trace["x"] if auc is not None]
    high = max([0.75, *aucs])
    return {
        "range": [0.49, high + 0.03],
        "tickvals": [tick for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0) if tick <= high + 0.02],
        "tickformat": ".1f",
        "showgrid": True,
        "gridcolor": theme.rule,
    }


def _auc_key(models: Sequence[tuple[str, str, str]], lang: str, theme: Theme) -> dict[str, Any]:
    """Return the key of the dots as the title: a legend takes too much width on a telephone."""
    signs = {"circle": "●", "circle-open": "○"}
    key = "&nbsp;&nbsp; ".join(
        f"<span style='color:{colour}'>{signs[symbol]}</span> "
        f"{text.say(f'segments.auc_{model}', lang)}"
        for model, colour, symbol in models
    )
    return {
        "text": key,
        "x": 0,
        "xref": "container",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"l": 4, "t": 6},
        "font": {"size": 13, "color": theme.ink},
    }


@dataclass(frozen=True)
class Scene:
    """A drawing in the JSON form of deck.gl that `st.pydeck_chart` takes.

    deck.gl ships its shaders. Plotly's WebGL traces write theirs at run time with `new Function`,
    which the content security policy of the pages forbids. An orthographic view has no map beneath
    it and asks no host for one.
    """

    payload: Mapping[str, Any]

    def to_json(self) -> str:
        """Return the scene as `st.pydeck_chart` asks for it."""
        return json.dumps(self.payload, ensure_ascii=False)


def customer_map(
    projection: Mapping[str, Sequence],
    names: Mapping[str, str],
    accented: str,
    lang: str,
    *,
    dark: bool = False,
) -> Scene:
    """Draw a sample of customers on the first two components, one dot each.

    The segment `accented` is in the accent colour, the others grey; each is named at its median.
    `projection` has x, y and segment, one entry per customer; a dot carries its position in them.
    """
    theme = theme_for(dark)
    frame = _scaled(pd.DataFrame({name: projection[name] for name in ("x", "y", "segment")}))
    others = [code for code in names if code != accented]
    layers = [_dots(frame, code, names[code], False, theme) for code in others]
    layers.append(_dots(frame, accented, names[accented], True, theme))
    layers.append(_name_layer(frame, names, lang, dark, theme))
    controller = {
        "scrollZoom": False,
        "dragPan": True,
        "doubleClickZoom": True,
        "touchRotate": False,
    }
    return Scene(
        {
            "views": [{"@@type": "OrthographicView", "id": "plane", "controller": controller}],
            "initialViewState": {
                "target": [0, 0, 0],
                "zoom": ZOOM,
                "minZoom": ZOOM - 1,
                "maxZoom": ZOOM + 4,
            },
            "layers": layers,
            "mapProvider": None,
            "mapStyle": None,
            "touchAction": "pan-y",
        }
    )


def _scaled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the positions so that half of the wider side is 1; deck.gl counts y downwards."""
    reach = max(float(frame[side].max() - frame[side].min()) for side in ("x", "y")) / 2 or 1.0
    for side, sign in (("x", 1), ("y", -1)):
        middle = (frame[side].max() + frame[side].min()) / 2
        frame[side] = sign * (frame[side] - middle) / reach
    return frame


def _dots(
    frame: pd.DataFrame, code: str, name: str, is_accented: bool, theme: Theme
) -> dict[str, Any]:
    part = frame[frame["segment"] == code]
    colour = _rgb(theme.accent, 0.9) if is_accented else _rgb(theme.faint, 0.6)
    return {
        "@@type": "ScatterplotLayer",
        "id": f"dots-{code}-{'picked' if is_accented else 'other'}",
        "pickable": True,
        "radiusUnits": "pixels",
        "getRadius": 3.4 if is_accented else 2.4,
        "getFillColor": colour,
        "getPosition": "@@=p",
        "data": [
            {"p": [round(x, 4), round(y, 4)], "i": int(i), "name": name}
            for i, x, y in zip(part.index, part["x"], part["y"], strict=True)
        ],
    }


def _name_layer(
    frame: pd.DataFrame, names: Mapping[str, str], lang: str, dark: bool, theme: Theme
) -> dict[str, Any]:
    return {
        "@@type": "TextLayer",
        "id": f"names-{lang}-{'dark' if dark else 'light'}",
        "data": _name_positions(frame, names),
        "getPosition": "@@=p",
        "getText": "@@=t",
        "getSize": 13,
        "fontFamily": FONT,
        "fontWeight": 600,
        "characterSet": sorted({sign for name in names.values() for sign in name}),
        "lineHeight": 1.15,
        "getColor": _rgb(theme.ink, 1.0),
        "background": True,
        "getBackgroundColor": _rgb(theme.paper, 0.82),
        "backgroundPadding": [4, 2],
    }


def _name_positions(frame: pd.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return where the names stand: at the median of their dots, within the picture.

    A name that would lie on another is moved below it.
    """
    placed: list[dict[str, Any]] = []
    medians = frame.groupby("segment").agg({"x": "median", "y": "median"})
    for code, x, y in medians.sort_values(by="y").itertuples():
        if code not in names:
            continue
        lines = names[code].replace(", ", ",\n").split("\n")
        width = max(_name_width(line) for line in lines) * 14 / 2**ZOOM
        height = 0.12 * len(lines)
        edge = max(1.04 - width / 2, 0)
        x = min(max(x, -edge), edge)
        beside = [other for other in placed if abs(x - other["p"][0]) < (width + other["w"]) / 2]
        while any(abs(y - other["p"][1]) < (height + other["h"]) / 2 for other in beside):
            y += 0.03
        placed.append(
            {"p": [round(x, 4), round(y, 4)], "t": "\n".join(lines), "w": width, "h": height}
        )
    return placed


def _name_width(line: str) -> float:
    """Return the width of a text in parts of its size: Chinese signs are square."""
    return sum(1.0 if sign > "\u2e80" else 0.55 for sign in line)


def _rgb(colour: str, opacity: float) -> list[int]:
    """Return #rrggbb as red, green, blue and opacity, each from 0 to 255."""
    channels = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return [*channels, round(255 * opacity)]


def weights(rows: Sequence[tuple[str, float]], lang: str, *, dark: bool = False) -> Figure:
    """Draw one bar per fact: the share of customers who would change segment without it.

    `rows` are (name, share of one), largest first.
    """
    theme = theme_for(dark)
    names = [html.escape(name) for name, _ in rows]
    shares = [share for _, share in rows]
    words = [text.number(share, "rate", lang) for share in shares]
    scale = value_axis(shares, "rate", lang, theme)
    scale["range"] = [0, max(shares, default=0.01) * 1.25]
    trace = marks.horizontal_bars(
        shares,
        list(range(len(rows))),
        theme.accent,
        **marks.labels_at_end(words, theme),
        hovertext=[f"<b>{name}</b><br>{label}" for name, label in zip(names, words, strict=True)],
    )
    page = layout(
        dark,
        26 * max(2, len(rows)) + 20,
        bargap=0.35,
        xaxis=marks.without_ticks(scale),
        yaxis=marks.row_axis(names, theme),
    )
    return {"data": [trace], "layout": page}
