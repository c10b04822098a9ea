"""The segments as figures: what became of each, what they add to the classes, the map of customers, what a fact weighs.

Dicts as in `figures`; the map alone is a `Scene`."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation.theme import FONT, axis, layout, look

Figure = dict[str, Any]
ZOOM = 7.4
"""Two to this power pixels for half of the wider side of the map: 169 of them, which a telephone has too."""


def outcomes(table: pd.DataFrame, whole: float | None, lang: str, *, dark: bool = False) -> Figure:
    """Later overdue per segment: a dot with its 95 % interval, the rate of all customers as a thin line. `table` is
    that of
    `Segments.table`; segments with n < 30 are grey and say so."""
    tone = look(dark)
    rows = list(table.itertuples())
    colours = [
        tone.faint if r.overdue_n < MIN_GROUP_SIZE else tone.of(r.verdict) if r.verdict != "plain" else tone.ink
        for r in rows
    ]
    said = [
        text.number(r.overdue, "rate", lang)
        + (f"  {text.say('figure.few', lang)}" if r.overdue_n < MIN_GROUP_SIZE else "")
        for r in rows
    ]
    known = [v for r in rows for v in (r.overdue_high, whole) if not text.is_missing(v)]
    scale = axis(known, "rate", lang, tone)
    scale["range"] = [0, max([*known, 0.01]) * 1.3]
    scale |= {"showticklabels": False, "showgrid": False}
    names = [html.escape(r._2 if lang == "zh-CN" else r.en).replace(", ", ",<br>") for r in rows]
    places = list(range(len(rows)))
    shapes = [
        {"type": "line", "x0": r.overdue_low, "x1": r.overdue_high, "y0": place, "y1": place,
         "line": {"color": colour, "width": 3}, "layer": "below"}
        for place, r, colour in zip(places, rows, colours, strict=True) if not text.is_missing(r.overdue)
    ]  # fmt: skip
    notes = [
        {"x": r.overdue_high if not text.is_missing(r.overdue) else 0, "y": place, "xanchor": "left", "xshift": 8,
         "showarrow": False, "text": words, "font": {"color": tone.ink, "size": 13}}
        for place, r, words in zip(places, rows, said, strict=True)
    ]  # fmt: skip
    if not text.is_missing(whole):
        shapes.append(
            {"type": "line", "x0": whole, "x1": whole, "y0": 0, "y1": 1, "yref": "paper", "layer": "below",
             "line": {"color": tone.grey, "width": 1, "dash": "dot"}}
        )  # fmt: skip
        notes.append(
            {"x": whole, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
             "font": {"color": tone.grey, "size": 12},
             "text": f"{text.say('figure.whole', lang)} {text.number(whole, 'rate', lang)}"}
        )  # fmt: skip
    dots = {
        "type": "scatter", "mode": "markers", "y": places,
        "x": [None if text.is_missing(r.overdue) else r.overdue for r in rows],
        "marker": {"size": 10, "color": colours}, "customdata": [[r.segment] for r in rows], "hoverinfo": "text",
        "hovertext": [f"<b>{name}</b><br>{words}<br>n = {r.overdue_n:,}" for name, words, r in
                      zip(names, said, rows, strict=True)],
    }  # fmt: skip
    down = {
        "range": [len(rows) - 0.5, -0.5], "tickvals": places, "ticktext": names,
        "tickfont": {"color": tone.ink, "size": 13},
    }  # fmt: skip
    page = layout(
        dark, 38 * max(2, len(rows)) + 30, shapes=shapes, annotations=notes, margin={"t": 22}, xaxis=scale, yaxis=down
    )
    return {"data": [dots], "layout": page}


def validation(rows: pd.DataFrame, lang: str, *, dark: bool = False) -> Figure:
    """AUC of the classes, of the segments and of both, one line per outcome, with what both gain over the classes.
    `rows` is that of `Segments.validation`; an outcome that could not be judged has no dots."""
    tone = look(dark)
    found = [dict(row) for row in rows.to_dict("records")]
    names = [text.say(f"segments.outcome_{row['outcome']}", lang) for row in found]
    parts = (("class", tone.grey, "circle"), ("segment", tone.ink, "circle-open"), ("both", tone.accent, "circle"))
    data, notes, shapes = [], [], []
    for place, row in enumerate(found):
        known = [row.get(f"{part}_auc") for part, _, _ in parts]
        known = [v for v in known if not text.is_missing(v)]
        if known:
            shapes.append({"type": "line", "x0": min(known), "x1": max(known), "y0": place, "y1": place,
                           "line": {"color": tone.faint, "width": 2}, "layer": "below"})  # fmt: skip
        said = text.say(f"segments.gain_{row['verdict']}", lang, **_gain(row))
        ink = tone.ink if row["verdict"] == "adds" else tone.grey
        notes.append({"x": 1, "xref": "paper", "y": place, "xanchor": "right", "yanchor": "bottom", "yshift": 7,
                      "showarrow": False, "text": said, "font": {"color": ink, "size": 13},
                      "bgcolor": tone.paper})  # fmt: skip
    for part, colour, symbol in parts:
        values = [row.get(f"{part}_auc") for row in found]
        name = text.say(f"segments.auc_{part}", lang)
        data.append(
            {
                "type": "scatter", "mode": "markers", "name": name, "y": list(range(len(found))),
                "x": [None if text.is_missing(v) else v for v in values], "hoverinfo": "text",
                "marker": {"size": 11, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
                "hovertext": ["" if text.is_missing(v) else f"<b>{html.escape(o)}</b><br>{name} AUC {v:.3f}"
                              for o, v in zip(names, values, strict=True)],
            }
        )  # fmt: skip
    most = max([0.75, *(v for trace in data for v in trace["x"] if v is not None)])
    places = [t for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0) if t <= most + 0.02]
    scale = {"range": [0.49, most + 0.03], "tickvals": places, "tickformat": ".1f", "showgrid": True,
             "gridcolor": tone.rule}  # fmt: skip
    down = {"range": [len(found) - 0.5, -0.5], "tickvals": list(range(len(found))),
            "ticktext": [html.escape(name) for name in names], "tickfont": {"color": tone.ink, "size": 13}}  # fmt: skip
    # A legend would push the plot aside on a telephone.
    signs = {"circle": "●", "circle-open": "○"}
    key = "&nbsp;&nbsp; ".join(
        f"<span style='color:{colour}'>{signs[symbol]}</span> {text.say(f'segments.auc_{part}', lang)}"
        for part, colour, symbol in parts
    )
    title = {"text": key, "x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top",
             "pad": {"l": 4, "t": 6}, "font": {"size": 13, "color": tone.ink}}  # fmt: skip
    page = layout(dark, 52 * max(2, len(found)) + 62, shapes=shapes, annotations=notes, margin={"t": 34}, title=title,
                  xaxis=scale, yaxis=down)  # fmt: skip
    return {"data": data, "layout": page}


def _gain(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        **{name: text.NOTHING if text.is_missing(row.get(name)) else f"{row[name]:+.3f}".replace("-", "−")
           for name in ("gain", "gain_low", "gain_high")},
        "events": f"{row['events']:,}",
    }  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A drawing for the browser's graphics processor, in the form that deck.gl reads and `st.pydeck_chart` hands on.

    deck.gl brings its programs ready-made. Plotly's WebGL traces write theirs at run time with `new Function`, which
    the pages' content security policy refuses. An orthographic view has no map beneath it and asks no host for one.
    """

    told: Mapping[str, Any]

    def to_json(self) -> str:
        return json.dumps(self.told, ensure_ascii=False)


def customer_map(
    told: Mapping[str, Sequence], names: Mapping[str, str], picked: str, lang: str, *, dark: bool = False
) -> Scene:
    """A sample of customers on the first two components, one dot each: the picked segment in the accent, the others
    grey, each named at its middle. `told` has x, y and segment; a dot carries its position in them."""
    tone = look(dark)
    frame = pd.DataFrame({name: told[name] for name in ("x", "y", "segment")})
    # deck.gl counts y downwards. Half of the wider side is 1, so that the view need not know the data.
    reach = max(float(frame[side].max() - frame[side].min()) for side in ("x", "y")) / 2 or 1.0
    for side, sign in (("x", 1), ("y", -1)):
        frame[side] = sign * (frame[side] - (frame[side].max() + frame[side].min()) / 2) / reach
    layers = []
    for code in [*(c for c in names if c != picked), picked]:
        mine, is_picked = frame[frame["segment"] == code], code == picked
        layers.append(
            {
                "@@type": "ScatterplotLayer", "id": f"dots-{code}-{'picked' if is_picked else 'other'}",
                "pickable": True, "radiusUnits": "pixels", "getRadius": 3.4 if is_picked else 2.4,
                "getFillColor": _rgb(tone.accent if is_picked else tone.faint, 0.9 if is_picked else 0.6),
                "getPosition": "@@=p",
                "data": [{"p": [round(x, 4), round(y, 4)], "i": int(i), "name": names[code]}
                         for i, x, y in zip(mine.index, mine["x"], mine["y"], strict=True)],
            }
        )  # fmt: skip
    layers.append(
        {
            "@@type": "TextLayer", "id": f"names-{lang}-{'dark' if dark else 'light'}", "data": _middles(frame, names),
            "getPosition": "@@=p", "getText": "@@=t", "getSize": 13, "fontFamily": FONT, "fontWeight": 600,
            "characterSet": sorted({sign for name in names.values() for sign in name}), "lineHeight": 1.15,
            "getColor": _rgb(tone.ink, 1.0), "background": True, "getBackgroundColor": _rgb(tone.paper, 0.82),
            "backgroundPadding": [4, 2],
        }
    )  # fmt: skip
    hand = {"scrollZoom": False, "dragPan": True, "doubleClickZoom": True, "touchRotate": False}
    view = {"@@type": "OrthographicView", "id": "plane", "controller": hand}
    return Scene(
        {"views": [view], "initialViewState": {"target": [0, 0, 0], "zoom": ZOOM, "minZoom": ZOOM - 1,
         "maxZoom": ZOOM + 4}, "layers": layers, "mapProvider": None, "mapStyle": None, "touchAction": "pan-y"}
    )  # fmt: skip


def _middles(frame: pd.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Where the names stand: at the median of their dots, within the picture; one that would lie on another goes below
    it."""
    placed: list[dict[str, Any]] = []
    for code, x, y in frame.groupby("segment")[["x", "y"]].median().sort_values("y").itertuples():
        if code not in names:
            continue
        lines = names[code].replace(", ", ",\n").split("\n")
        wide = max(sum(1.0 if sign > "\u2e80" else 0.55 for sign in line) for line in lines) * 14 / 2**ZOOM
        high, edge = 0.12 * len(lines), max(1.04 - wide / 2, 0)
        x = min(max(x, -edge), edge)
        beside = [o for o in placed if abs(x - o["p"][0]) < (wide + o["w"]) / 2]
        while any(abs(y - o["p"][1]) < (high + o["h"]) / 2 for o in beside):
            y += 0.03
        placed.append({"p": [round(x, 4), round(y, 4)], "t": "\n".join(lines), "w": wide, "h": high})
    return placed


def _rgb(colour: str, opacity: float) -> list[int]:
    return [*(int(colour[at : at + 2], 16) for at in (1, 3, 5)), round(255 * opacity)]


def weights(rows: Sequence[tuple[str, float]], lang: str, *, dark: bool = False) -> Figure:
    """One bar per fact: the share of customers who would change segment. `rows` are (words, share), largest first."""
    tone = look(dark)
    places = list(range(len(rows)))
    scale = axis([share for _, share in rows], "rate", lang, tone)
    scale["range"] = [0, max([share for _, share in rows], default=0.01) * 1.25]
    scale |= {"showticklabels": False, "showgrid": False}
    said = [text.number(share, "rate", lang) for _, share in rows]
    bars = {
        "type": "bar", "orientation": "h", "x": [share for _, share in rows], "y": places, "text": said,
        "textposition": "outside", "cliponaxis": False, "marker": {"color": tone.accent},
        "textfont": {"color": tone.ink}, "hoverinfo": "text",
        "hovertext": [f"<b>{html.escape(name)}</b><br>{words}" for (name, _), words in zip(rows, said, strict=True)],
    }  # fmt: skip
    down = {
        "range": [len(rows) - 0.5, -0.5], "tickvals": places, "ticktext": [html.escape(name) for name, _ in rows],
        "tickfont": {"color": tone.ink, "size": 13},
    }  # fmt: skip
    return {"data": [bars], "layout": layout(dark, 26 * max(2, len(rows)) + 20, bargap=0.35, xaxis=scale, yaxis=down)}
