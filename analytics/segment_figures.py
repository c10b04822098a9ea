"""The segments as figures: what became of each, the map of customers, what a fact weighs. Dicts as in `figures`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analytics import text
from analytics.look import SMALL, axis, layout, look

Figure = dict[str, Any]


def outcomes(table: pd.DataFrame, whole: float | None, lang: str, *, dark: bool = False) -> Figure:
    """Later overdue per segment: a dot with its 95 % interval, the rate of all customers as a thin line. `table` is
    that of
    `Segments.table`; segments with n < 30 are grey and say so."""
    tone = look(dark)
    rows = list(table.itertuples())
    colours = [
        tone.faint if r.overdue_n < SMALL else tone.of(r.verdict) if r.verdict != "plain" else tone.ink for r in rows
    ]
    said = [
        text.number(r.overdue, "rate", lang) + (f"  {text.say('figure.few', lang)}" if r.overdue_n < SMALL else "")
        for r in rows
    ]
    known = [v for r in rows for v in (r.overdue_high, whole) if not text.is_missing(v)]
    scale = axis(known, "rate", lang, tone)
    scale["range"] = [0, max([*known, 0.01]) * 1.22]
    scale |= {"showticklabels": False, "showgrid": False}
    names = [html.escape(r._2 if lang == "zh-CN" else r.en) for r in rows]
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
        dark, 36 * max(2, len(rows)) + 30, shapes=shapes, annotations=notes, margin={"t": 22}, xaxis=scale, yaxis=down
    )
    return {"data": [dots], "layout": page}


def customer_map(
    told: Mapping[str, Sequence], names: Mapping[str, str], picked: str, lang: str, *, dark: bool = False
) -> Figure:
    """A sample of customers on the first two components, one dot each: the picked segment in the accent, the others
    grey, each
    named at its middle. `told` has x, y and segment.

    Drawn as SVG: Plotly's WebGL builds its code at run time, which the pages' content security policy refuses.
    """
    tone = look(dark)
    frame = pd.DataFrame({name: told[name] for name in ("x", "y", "segment")})
    data = []
    for code in [*(c for c in names if c != picked), picked]:
        mine = frame[frame["segment"] == code]
        data.append(
            {
                "type": "scatter", "mode": "markers", "x": mine["x"].tolist(), "y": mine["y"].tolist(),
                "marker": {"size": 5 if code == picked else 4, "color": tone.accent if code == picked else tone.faint,
                           "opacity": 0.9 if code == picked else 0.55},
                "hoverinfo": "text", "hovertext": html.escape(names[code]), "customdata": [[code]] * len(mine),
            }
        )  # fmt: skip
    middles = frame.groupby("segment")[["x", "y"]].median().sort_values("y", ascending=False)
    wide, high = (float(frame[side].max() - frame[side].min()) or 1.0 for side in ("x", "y"))
    notes, placed = [], []
    for code, x, y in middles.itertuples():
        if code not in names:
            continue
        # A name that would lie on another one goes below it.
        while any(abs(x - other) < wide * 0.4 and abs(y - at) < high * 0.06 for other, at in placed):
            y -= high * 0.02
        placed.append((x, y))
        notes.append(
            {
                "x": x, "y": y, "text": f"<b>{html.escape(names[code])}</b>", "showarrow": False,
                "font": {"color": tone.ink, "size": 12}, "bgcolor": tone.paper, "opacity": 0.85, "borderpad": 2,
            }
        )  # fmt: skip
    bare = {"showticklabels": False, "range": None}
    page = layout(dark, 420, annotations=notes, xaxis=dict(bare), yaxis=dict(bare))
    for side in ("xaxis", "yaxis"):
        page[side].pop("range")
    return {"data": data, "layout": page}


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
        "autorange": "reversed", "tickvals": places, "ticktext": [html.escape(name) for name, _ in rows],
        "tickfont": {"color": tone.ink, "size": 13},
    }  # fmt: skip
    return {"data": [bars], "layout": layout(dark, 26 * max(2, len(rows)) + 20, bargap=0.35, xaxis=scale, yaxis=down)}
