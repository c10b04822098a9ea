"""Sums and their parts as figures: a waterfall from gross to net, two amounts side by side. Dicts as in `figures`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation.theme import axis, layout, look

Figure = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall: an amount that is added, taken away, or a total that stands from zero."""

    code: str
    name: str
    value: float
    kind: str = "plus"
    hint: str = ""


def waterfall(steps: Sequence[Step], lang: str, *, dark: bool = False) -> Figure:
    """Steps from top to bottom, each beginning where the one before ended; totals from zero in ink. Money in CNY."""
    tone = look(dark)
    colours = {"plus": tone.accent, "minus": tone.faint, "total": tone.ink}
    at, bases, ends = 0.0, [], []
    for step in steps:
        bases.append(0.0 if step.kind == "total" else at)
        at = step.value if step.kind == "total" else at + step.value * (-1 if step.kind == "minus" else 1)
        ends.append(at)
    signs = {"plus": "+", "minus": "−", "total": ""}
    said = [signs[step.kind] + text.number(step.value, "money", lang) for step in steps]
    spots = list(range(len(steps)))
    joints = [
        {
            "type": "line", "x0": end, "x1": end, "y0": spot, "y1": spot + 1,
            "line": {"color": tone.rule, "width": 1}, "layer": "below",
        }
        for spot, end in zip(spots[:-1], ends[:-1], strict=True)
    ]  # fmt: skip
    labels = [
        {
            "x": max(base, end), "y": spot, "xanchor": "left", "xshift": 6, "showarrow": False, "text": words,
            "font": {"color": tone.ink, "size": 13},
        }
        for spot, base, end, words in zip(spots, bases, ends, said, strict=True)
    ]  # fmt: skip
    scale = axis([*bases, *ends], "money", lang, tone)
    reach = max(0.0, *bases, *ends)
    scale["range"] = [min(scale["range"][0], *bases, *ends), reach * 1.42]
    scale |= {"showticklabels": False, "showgrid": False}
    bars = {
        "type": "bar", "orientation": "h", "y": spots, "base": bases,
        "x": [end - base for base, end in zip(bases, ends, strict=True)],
        "customdata": [[step.code] for step in steps],
        "marker": {"color": [colours[step.kind] for step in steps]},
        "hoverinfo": "text",
        "hovertext": [
            f"<b>{html.escape(step.name)}</b><br>{words}" + (f"<br>{html.escape(step.hint)}" if step.hint else "")
            for step, words in zip(steps, said, strict=True)
        ],
        "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
    }  # fmt: skip
    rows = {
        "range": [len(steps) - 0.5, -0.5], "tickvals": spots, "ticktext": [html.escape(step.name) for step in steps],
        "tickfont": {"color": tone.ink, "size": 13},
    }  # fmt: skip
    page = layout(dark, 32 * len(steps) + 24, bargap=0.35, shapes=joints, annotations=labels, xaxis=scale, yaxis=rows)
    return {"data": [bars], "layout": page}


def pairs(
    frames: tuple[pd.DataFrame, pd.DataFrame], metrics: tuple[Any, Any], by: str, labels: Mapping[str, str], lang: str,
    *, dark: bool = False,
) -> Figure:  # fmt: skip
    """Two amounts per value of a split on one scale, the first grey, the second in the accent, both from zero.

    Each frame is the answer of its metric: the split, value, n. Groups below 30 are faint and say so.
    """
    tone = look(dark)
    kept = [dict(zip(frame[by].astype("str"), frame.itertuples(), strict=True)) for frame in frames]
    codes = [code for code in labels if code in kept[0] or code in kept[1]]
    everything = [float(row.value) for side in kept for row in side.values() if not text.is_missing(row.value)]
    scale = axis(everything, "money", lang, tone)
    low, high = min(0.0, *everything, 0.0), max(0.0, *everything, 0.0)
    room = (high - low) * 0.17
    scale["range"] = [low - room if low < 0 else 0.0, high + room]
    scale |= {"showticklabels": False, "showgrid": False, "zeroline": True, "zerolinecolor": tone.faint}
    data = []
    for side, metric, shift, colour in zip(kept, metrics, (-0.19, 0.19), (tone.faint, tone.accent), strict=True):
        rows = [(spot, code, side[code]) for spot, code in enumerate(codes) if code in side]
        values = [None if text.is_missing(row.value) else float(row.value) for _, _, row in rows]
        said = [text.number(value, metric.unit, lang) for value in values]
        few = [text.say("figure.few", lang) if row.n < MIN_GROUP_SIZE else "" for _, _, row in rows]
        data.append(
            {
                "type": "bar", "orientation": "h", "name": metric.name[lang], "width": 0.34,
                "x": values, "y": [spot + shift for spot, _, _ in rows],
                "customdata": [[metric.id, code] for _, code, _ in rows],
                "marker": {"color": [tone.rule if small else colour for small in few]},
                "text": [f"{words}  {small}".strip() for words, small in zip(said, few, strict=True)],
                "textposition": "outside", "cliponaxis": False, "textfont": {"color": tone.ink, "size": 12},
                "hoverinfo": "text",
                "hovertext": [
                    f"<b>{html.escape(labels[code])}</b><br>{html.escape(metric.name[lang])} {words}"
                    f"<br>n = {int(row.n):,}"
                    for (_, code, row), words in zip(rows, said, strict=True)
                ],
                "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
            }
        )  # fmt: skip
    rows = {
        "range": [len(codes) - 0.5, -0.5], "tickvals": list(range(len(codes))),
        "ticktext": [html.escape(labels[code]) for code in codes], "tickfont": {"color": tone.ink, "size": 13},
    }  # fmt: skip
    return {
        "data": data,
        "layout": layout(dark, 44 * max(2, len(codes)) + 20, barmode="overlay", xaxis=scale, yaxis=rows),
    }
