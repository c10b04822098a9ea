"""Figures of change: effects of the parts, curves of cohorts, shares to come. Dicts as in `figures`."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation.theme import axis, layout, look

Figure = dict[str, Any]
_WIDEST = 12
_NAME = 18


def effects(
    parts: pd.DataFrame, totals: Mapping[str, float | None], metric: Any, by: str, labels: Mapping[str, str], lang: str,
    *, dark: bool = False,
) -> Figure:  # fmt: skip
    """What each part adds to a change: its own change and that of its share on one scale, from zero, and their sum.

    `parts` and `totals` as `change.bridge` gives them (totals: rate_effect, mix_effect, effect); a figure without a
    denominator has one panel. The last line is the sum. Green is good and red bad by the metric's own direction.
    """
    tone = look(dark)
    columns = ("effect",) if totals["rate_effect"] is None else ("rate_effect", "mix_effect", "effect")
    shown = parts.head(_WIDEST)
    rest = parts.iloc[_WIDEST:]
    lines = [(str(row[by]), _named(row, by, labels, lang), row, False) for row in shown.to_dict("records")]
    if len(rest):
        others = {column: rest[column].sum() for column in columns}
        lines.append(("", text.say("changes.others", lang, count=len(rest)), others, False))
    lines.append(("", text.say("table.total", lang), dict(totals), True))
    spots = list(range(len(lines)))
    drawn = columns[:2]
    every = [0.0, *(float(row[column]) for _, _, row, _ in lines for column in drawn)]
    reach = max(abs(min(every)), abs(max(every))) or 1.0
    left, right = min(every) - reach * 0.9, max(every) + reach * 0.9
    page = layout(
        dark, 30 * len(lines) + 46, bargap=0.35, margin={"t": 26},
        yaxis={
            "range": [len(lines) - 0.5, -0.5], "tickvals": spots,
            "ticktext": [f"<b>{html.escape(name)}</b>" if sum_ else html.escape(name) for _, name, _, sum_ in lines],
            "tickfont": {"color": tone.ink, "size": 13},
            # Room for the sign of a label that reaches over the axis on a narrow screen.
            "ticklabelstandoff": 14 if min(every) < 0 else 0,
        },
    )  # fmt: skip
    page["annotations"], data = [], []
    page["shapes"] = [{
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": len(lines) - 1.5, "y1": len(lines) - 1.5,
        "line": {"color": tone.rule, "width": 1},
    }]  # fmt: skip
    for place, column in enumerate(drawn):
        tail = "" if place == 0 else str(place + 1)
        # The sum is a column of figures: a third row of bars leaves no room for labels on a narrow screen.
        panel = 1.0 if len(columns) == 1 else 0.43
        span = [place * panel, (place + 0.96) * panel]
        page[f"xaxis{tail}"] = page["xaxis"] | {
            "domain": span, "anchor": "y", "range": [left, right], "showticklabels": False,
            "zeroline": True, "zerolinecolor": tone.faint,
        }  # fmt: skip
        moved = [text.change(float(row[column]), metric.unit, metric.better, lang, bare=True) for _, _, row, _ in lines]
        colours = [tone.ink if sum_ else tone.of(m.verdict) for m, (_, _, _, sum_) in zip(moved, lines, strict=True)]
        data.append({
            "type": "bar", "orientation": "h", "xaxis": f"x{tail}", "y": spots,
            "x": [float(row[column]) for _, _, row, _ in lines], "customdata": [[code] for code, _, _, _ in lines],
            "marker": {"color": colours}, "text": [m.words for m in moved], "textposition": "outside",
            "cliponaxis": False, "textfont": {"color": tone.ink, "size": 12}, "hoverinfo": "text",
            "hovertext": [_hint(row, name, metric, lang) for _, name, row, _ in lines],
            "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
        })  # fmt: skip
        page["annotations"].append({
            "xref": "paper", "yref": "paper", "x": span[0], "y": 1, "xanchor": "left", "yanchor": "bottom",
            "showarrow": False, "text": html.escape(text.say(f"changes.{column}", lang)),
            "font": {"color": tone.grey, "size": 13},
        })  # fmt: skip
    if len(columns) == 3:
        both = [float(row["effect"]) for _, _, row, _ in lines]
        moved = [text.change(effect, metric.unit, metric.better, lang, bare=True) for effect in both]
        page["xaxis3"] = page["xaxis"] | {"domain": [0.86, 1], "range": [0, 1], "zeroline": False}
        data.append({
            "type": "scatter", "mode": "text", "xaxis": "x3", "x": [1] * len(lines), "y": spots,
            "customdata": [[code] for code, _, _, _ in lines], "cliponaxis": False, "textposition": "middle left",
            "text": [f"<b>{m.words}</b>" if sum_ else m.words for m, (_, _, _, sum_) in zip(moved, lines, strict=True)],
            "textfont": {"size": 12, "color": [
                tone.ink if sum_ else tone.of(m.verdict) for m, (_, _, _, sum_) in zip(moved, lines, strict=True)
            ]},
            "hoverinfo": "text", "hovertext": [_hint(row, name, metric, lang) for _, name, row, _ in lines],
            "selected": {"textfont": {}}, "unselected": {"textfont": {}},
        })  # fmt: skip
        page["annotations"].append({
            "xref": "paper", "yref": "paper", "x": 1, "y": 1, "xanchor": "right", "yanchor": "bottom",
            "showarrow": False, "text": html.escape(text.say("changes.effect", lang)),
            "font": {"color": tone.grey, "size": 13},
        })  # fmt: skip
    return {"data": data, "layout": page}


def _named(row: Mapping[str, Any], by: str, labels: Mapping[str, str], lang: str) -> str:
    """The name of a part, and whether it is new or gone."""
    name = _cut(labels.get(row[by], row[by]))
    return f"{name} {text.say('changes.' + row['state'], lang)}" if row.get("state") else name


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _hint(row: Mapping[str, Any], name: str, metric: Any, lang: str) -> str:
    if "value_before" not in row:
        return f"<b>{html.escape(name)}</b>"
    said = [f"<b>{html.escape(name)}</b>"]
    said.append(
        f"{text.number(row['value_before'], metric.unit, lang)} → {text.number(row['value'], metric.unit, lang)}"
    )
    if not text.is_missing(row.get("share")):
        shares = (text.number(row[half], "rate", lang) for half in ("share_before", "share"))
        said.append(f"{html.escape(text.say('table.share', lang))} {' → '.join(shares)}")
    said.append(f"n = {int(row['n_before']):,} → {int(row['n']):,}")
    if min(row["n"], row["n_before"]) < MIN_GROUP_SIZE:
        said.append(html.escape(text.say("figure.few", lang)))
    return "<br>".join(said)


def curves(
    frame: pd.DataFrame, x: str, labels: Mapping[str, str], ticks: Mapping[float, str], lang: str,
    *, dark: bool = False, bold: Sequence[str] = (), small: int = MIN_GROUP_SIZE, stepped: bool = False,
) -> Figure:  # fmt: skip
    """A line per part over `x`, labelled at its end; `bold` ones in the accent, the others grey. Below `small`
    people the line is dotted. `frame` has part, x, value, n; rates as shares of one."""
    tone = look(dark)
    codes = [code for code in labels if code in set(frame["part"])]
    scale = axis([*frame["value"]], "rate", lang, tone)
    furthest = float(frame[x].max()) if len(frame) else 1.0
    data, ends = [], []
    for code in codes:
        part = frame[(frame["part"] == code) & frame["value"].notna()].sort_values(x)
        if part.empty:
            continue
        colour = tone.accent if code in bold else tone.grey
        few = bool((part["n"] < small).any()) if small else False
        data.append({
            # Marks that are not seen: plotly selects no point of a bare line.
            "type": "scatter", "mode": "lines+markers", "marker": {"size": 9, "opacity": 0, "color": colour},
            "selected": {"marker": {"opacity": 0}}, "unselected": {"marker": {"opacity": 0}},
            "x": [float(at) for at in part[x]], "y": [float(value) for value in part["value"]],
            "customdata": [[code, str(int(at))] for at in part[x]],
            "line": {"color": colour, "width": 2.2 if code in bold else 1.3, "dash": "dot" if few else "solid",
                     "shape": "hv" if stepped else "linear"},
            "hoverinfo": "text",
            "hovertext": [
                f"<b>{html.escape(labels[code])}</b><br>{text.say('changes.at', lang, x=int(at))}"
                f"<br>{text.number(value, 'rate', lang)}<br>n = {int(n):,}"
                for at, value, n in zip(part[x], part["value"], part["n"], strict=True)
            ],
        })  # fmt: skip
        last = part.iloc[-1]
        ends.append((float(last["value"]), float(last[x]), code, colour))
    notes = []
    height, room = 320, (scale["range"][1] - scale["range"][0]) or 1
    taken: list[tuple[float, float]] = []
    for value, at, code, colour in sorted(ends):
        # Labels of neighbouring ends are pushed apart by the height of a line of type.
        near = [spot for spot, place in taken if abs(place - at) < furthest * 0.2]
        spot = max([value, *(other + room * 16 / (height - 40) for other in near[-1:])])
        taken.append((spot, at))
        notes.append({
            "x": at, "y": spot, "xanchor": "left", "xshift": 6, "showarrow": False,
            "text": f"{html.escape(_cut(labels[code]))} {text.number(value, 'rate', lang)}",
            "font": {"color": colour, "size": 12},
        })  # fmt: skip
    places = {float(at): name for at, name in ticks.items() if float(at) <= furthest}
    scale["range"] = [scale["range"][0], max([scale["range"][1], *(spot for spot, _ in taken)])]
    return {
        "data": data,
        "layout": layout(
            dark, height, annotations=notes, margin={"r": 150}, yaxis=scale,
            xaxis={"range": [-0.02 * furthest, furthest], "tickvals": list(places), "ticktext": list(places.values())},
        ),
    }  # fmt: skip


def ahead(
    frame: pd.DataFrame, labels: Mapping[str, str], horizons: Sequence[int], lang: str, *, dark: bool = False
) -> Figure:  # fmt: skip
    """Shares now (solid) and to come (hatched, with the band as a whisker), state by state. `frame`: forecast.ahead."""
    tone = look(dark)
    codes = [code for code in labels if code in set(frame["state"])]
    now = frame.drop_duplicates("state").set_index("state")["share_now"]
    bars = [(None, [now[code] for code in codes], None, None)]
    for horizon in horizons:
        told = frame[frame["horizon"] == horizon].set_index("state").loc[codes]
        bars.append((horizon, list(told["share"]), list(told["low"]), list(told["high"])))
    data, step = [], 0.84 / len(bars)
    every = [value for _, values, _, highs in bars for value in (highs or values)]
    for place, (horizon, values, lows, highs) in enumerate(bars):
        name = text.say("migration.now", lang) if horizon is None else text.say("migration.in", lang, months=horizon)
        said = [f"{name}  {text.number(value, 'rate', lang)}" for value in values]
        if horizon is not None:
            said = [
                f"{words} ({text.number(low, 'rate', lang)} – {text.number(high, 'rate', lang)})"
                for words, low, high in zip(said, lows, highs, strict=True)
            ]
        bar = {
            "type": "bar", "orientation": "h", "name": name, "width": step * 0.86,
            "x": [float(value) for value in values],
            "y": [spot - 0.42 + step * (place + 0.5) for spot in range(len(codes))],
            "customdata": [[code] for code in codes],
            "marker": {"color": tone.ink} if horizon is None else {
                "color": tone.paper, "line": {"color": tone.grey, "width": 1},
                "pattern": {"shape": "/", "fgcolor": tone.grey, "size": 5, "solidity": 0.25},
            },
            "hoverinfo": "text",
            "hovertext": [f"<b>{html.escape(labels[c])}</b><br>{words}" for c, words in zip(codes, said, strict=True)],
            "selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}},
        }  # fmt: skip
        if horizon is not None:
            bar["error_x"] = {
                "type": "data", "symmetric": False, "color": tone.ink, "thickness": 1, "width": 3,
                "array": [high - value for high, value in zip(highs, values, strict=True)],
                "arrayminus": [value - low for low, value in zip(lows, values, strict=True)],
            }  # fmt: skip
        data.append(bar)
    room = max(every) * 1.75
    notes = [
        {
            "x": max([bar["x"][spot], *((highs or [0] * len(codes))[spot : spot + 1])]), "y": bar["y"][spot],
            "xanchor": "left", "xshift": 8, "showarrow": False, "font": {"color": tone.grey, "size": 12},
            "text": bar["hovertext"][spot].split("<br>")[1].split(" (")[0],
        }
        for bar, (_, _, _, highs) in zip(data, bars, strict=True)
        for spot in range(len(codes))
    ]  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            dark, 66 * len(codes) + 24, barmode="overlay", annotations=notes,
            xaxis={"range": [0, room], "showticklabels": False},
            yaxis={
                "range": [len(codes) - 0.5, -0.5], "tickvals": list(range(len(codes))),
                "ticktext": [html.escape(_cut(labels[code])) for code in codes],
                "tickfont": {"color": tone.ink, "size": 13},
            },
        ),
    }  # fmt: skip
