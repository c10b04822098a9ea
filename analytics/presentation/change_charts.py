"""Charts of change: effects of the parts, curves of cohorts, expected shares."""

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
from analytics.presentation.theme import Theme, layout, theme_for, value_axis

_MOST_PARTS = 12
_LONGEST_NAME = 18


@dataclass(frozen=True)
class _EffectRow:
    """One line of the chart of effects: a part, the sum of the parts left out, or the total."""

    code: str
    name: str
    numbers: Mapping[str, Any]
    is_total: bool = False

    @property
    def markup(self) -> str:
        name = html.escape(self.name)
        return f"<b>{name}</b>" if self.is_total else name

    def effect(self, column: str) -> float:
        return float(self.numbers[column])


def effects(
    parts: pd.DataFrame,
    totals: Mapping[str, float | None],
    metric: Any,
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """Draw what each part adds to a change: by its own change, by that of its share, and in all.

    `parts` and `totals` as `analytics.analysis.attribution` computes them (totals: rate_effect,
    mix_effect, effect); a metric without a denominator has one panel. Bars start at zero, on one
    scale; the last line is the sum. Green is good and red bad by the direction of the metric.
    """
    theme = theme_for(dark)
    columns: tuple[str, ...] = ("rate_effect", "mix_effect", "effect")
    if totals["rate_effect"] is None:
        columns = ("effect",)
    rows = _effect_rows(parts, totals, by, columns, labels, lang)
    bar_columns = columns[:2]
    every = [0.0, *(row.effect(column) for row in rows for column in bar_columns)]
    low = min(every)
    high = max(every)
    reach = max(abs(low), abs(high)) or 1.0
    page = layout(
        dark,
        30 * len(rows) + 46,
        bargap=0.35,
        margin={"t": 26},
        yaxis=marks.row_axis([row.markup for row in rows], theme)
        # Room for the sign of a label that reaches over the axis on a narrow screen.
        | {"ticklabelstandoff": 14 if low < 0 else 0},
    )
    above_total = len(rows) - 1.5
    page["shapes"] = [
        marks.line((0, 1), (above_total, above_total), theme.rule, xref="paper"),
    ]
    page["annotations"] = []
    data = []
    # The sum is a column of figures: a third panel leaves no room for labels on a narrow screen.
    panel_width = 1.0 if len(columns) == 1 else 0.43
    for index, column in enumerate(bar_columns):
        suffix = "" if index == 0 else str(index + 1)
        left = index * panel_width
        page[f"xaxis{suffix}"] = page["xaxis"] | {
            "domain": [left, (index + 0.96) * panel_width],
            "anchor": "y",
            "range": [low - reach * 0.9, high + reach * 0.9],
            "showticklabels": False,
            "zeroline": True,
            "zerolinecolor": theme.faint,
        }
        data.append(_effect_bars(rows, column, metric, lang, theme) | {"xaxis": f"x{suffix}"})
        page["annotations"].append(_panel_title(f"changes.{column}", left, "left", lang, theme))
    if len(columns) == 3:
        page["xaxis3"] = page["xaxis"] | {"domain": [0.86, 1], "range": [0, 1], "zeroline": False}
        data.append(_effect_sums(rows, metric, lang, theme) | {"xaxis": "x3"})
        page["annotations"].append(_panel_title("changes.effect", 1, "right", lang, theme))
    return {"data": data, "layout": page}


def _effect_rows(
    parts: pd.DataFrame,
    totals: Mapping[str, float | None],
    by: str,
    columns: Sequence[str],
    labels: Mapping[str, str],
    lang: str,
) -> list[_EffectRow]:
    """Return the largest parts, the sum of the others where there are more, and the total."""
    rows = [
        _EffectRow(str(part[by]), _part_name(part, by, labels, lang), part)
        for part in parts.head(_MOST_PARTS).to_dict("records")
    ]
    others = parts.iloc[_MOST_PARTS:]
    if len(others):
        sums = {column: others[column].sum() for column in columns}
        rows.append(_EffectRow("", text.say("changes.others", lang, count=len(others)), sums))
    rows.append(_EffectRow("", text.say("table.total", lang), dict(totals), is_total=True))
    return rows


def _effect_bars(
    rows: Sequence[_EffectRow], column: str, metric: Any, lang: str, theme: Theme
) -> dict[str, Any]:
    changes = _effect_changes(rows, column, metric, lang)
    return marks.horizontal_bars(
        [row.effect(column) for row in rows],
        list(range(len(rows))),
        _effect_colours(rows, changes, theme),
        **marks.labels_at_end([change.words for change in changes], theme, 12),
        **marks.KEEP_OPACITY,
        customdata=[[row.code] for row in rows],
        hovertext=[_effect_hover(row, metric, lang) for row in rows],
    )


def _effect_sums(
    rows: Sequence[_EffectRow], metric: Any, lang: str, theme: Theme
) -> dict[str, Any]:
    """Return the column of figures at the right: the effect of both causes together."""
    changes = _effect_changes(rows, "effect", metric, lang)
    words = [
        f"<b>{change.words}</b>" if row.is_total else change.words
        for change, row in zip(changes, rows, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "text",
        "x": [1] * len(rows),
        "y": list(range(len(rows))),
        "customdata": [[row.code] for row in rows],
        "cliponaxis": False,
        "textposition": "middle left",
        "text": words,
        "textfont": {"size": 12, "color": _effect_colours(rows, changes, theme)},
        "hoverinfo": "text",
        "hovertext": [_effect_hover(row, metric, lang) for row in rows],
        "selected": {"textfont": {}},
        "unselected": {"textfont": {}},
    }


def _effect_changes(
    rows: Sequence[_EffectRow], column: str, metric: Any, lang: str
) -> list[text.Change]:
    return [
        text.change(row.effect(column), metric.unit, metric.better, lang, bare=True) for row in rows
    ]


def _effect_colours(
    rows: Sequence[_EffectRow], changes: Sequence[text.Change], theme: Theme
) -> list[str]:
    return [
        theme.ink if row.is_total else theme.verdict_colour(change.verdict)
        for row, change in zip(rows, changes, strict=True)
    ]


def _panel_title(key: str, x: float, side: str, lang: str, theme: Theme) -> dict[str, Any]:
    place = {"xref": "paper", "yref": "paper", "xanchor": side, "yanchor": "bottom"}
    return marks.note(x, 1, html.escape(text.say(key, lang)), theme.grey, 13, **place)


def _part_name(row: Mapping[str, Any], by: str, labels: Mapping[str, str], lang: str) -> str:
    """Return the name of a part, with a word where the part is new or has gone."""
    name = _shortened(labels.get(row[by], row[by]))
    return f"{name} {text.say('changes.' + row['state'], lang)}" if row.get("state") else name


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _effect_hover(effect_row: _EffectRow, metric: Any, lang: str) -> str:
    row = effect_row.numbers
    lines = [f"<b>{html.escape(effect_row.name)}</b>"]
    if "value_before" not in row:
        return lines[0]
    before = text.number(row["value_before"], metric.unit, lang)
    lines.append(f"{before} → {text.number(row['value'], metric.unit, lang)}")
    if not text.is_missing(row.get("share")):
        shares = [text.number(row[column], "rate", lang) for column in ("share_before", "share")]
        lines.append(f"{html.escape(text.say('table.share', lang))} {' → '.join(shares)}")
    lines.append(f"n = {int(row['n_before']):,} → {int(row['n']):,}")
    if min(row["n"], row["n_before"]) < MIN_GROUP_SIZE:
        lines.append(html.escape(text.say("figure.few", lang)))
    return "<br>".join(lines)


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
    scale = value_axis([*frame["value"]], "rate", lang, theme)
    furthest = float(frame[x].max()) if len(frame) else 1.0
    data = []
    ends = []
    for code in labels:
        if code not in present:
            continue
        part = frame[(frame["part"] == code) & frame["value"].notna()].sort_values(x)
        if part.empty:
            continue
        is_bold = code in bold
        colour = theme.accent if is_bold else theme.grey
        is_dotted = bool((part["n"] < small).any()) if small else False
        trace = _curve(part, x, code, labels[code], colour, lang)
        trace["line"] = {
            "color": colour,
            "width": 2.2 if is_bold else 1.3,
            "dash": "dot" if is_dotted else "solid",
            "shape": "hv" if stepped else "linear",
        }
        data.append(trace)
        last = part.iloc[-1]
        ends.append(_CurveEnd(float(last["value"]), float(last[x]), code, colour))
    height = 320
    reach = (scale["range"][1] - scale["range"][0]) or 1
    line_of_type = reach * 16 / (height - 40)
    positions = _label_heights(ends, furthest * 0.2, line_of_type)
    notes = []
    for end, position in positions:
        words = (
            f"{html.escape(_shortened(labels[end.code]))} {text.number(end.value, 'rate', lang)}"
        )
        notes.append(marks.note(end.x, position, words, end.colour, xanchor="left", xshift=6))
    scale["range"] = [
        scale["range"][0],
        max([scale["range"][1], *(position for _, position in positions)]),
    ]
    shown_ticks = {float(at): name for at, name in ticks.items() if float(at) <= furthest}
    return {
        "data": data,
        "layout": layout(
            dark,
            height,
            annotations=notes,
            margin={"r": 150},
            yaxis=scale,
            xaxis={
                "range": [-0.02 * furthest, furthest],
                "tickvals": list(shown_ticks),
                "ticktext": list(shown_ticks.values()),
            },
        ),
    }


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


@dataclass(frozen=True)
class _HorizonBars:
    """The shares of every state at one horizon; `months` is None for today, which has no band."""

    months: int | None
    shares: list[float]
    lows: list[float]
    highs: list[float]

    def name(self, lang: str) -> str:
        if self.months is None:
            return text.say("migration.now", lang)
        return text.say("migration.in", lang, months=self.months)

    def labels(self, lang: str) -> list[str]:
        return [f"{self.name(lang)}  {text.number(share, 'rate', lang)}" for share in self.shares]

    @property
    def ends(self) -> list[float]:
        """Where each bar ends, its whisker included."""
        return self.shares if self.months is None else self.highs


def ahead(
    frame: pd.DataFrame,
    labels: Mapping[str, str],
    horizons: Sequence[int],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """Draw shares now (solid) and expected (hatched, the band as a whisker), state by state.

    `frame` as `analytics.analysis.forecast` computes it: state, horizon (months), share_now, share,
    low, high, all shares of one.
    """
    theme = theme_for(dark)
    present = set(frame["state"])
    codes = [code for code in labels if code in present]
    now = frame.drop_duplicates("state").set_index("state")["share_now"]
    groups = [_HorizonBars(None, [now[code] for code in codes], [], [])]
    for horizon in horizons:
        later = frame[frame["horizon"] == horizon].set_index("state").loc[codes]
        groups.append(
            _HorizonBars(horizon, list(later["share"]), list(later["low"]), list(later["high"]))
        )
    names = [html.escape(labels[code]) for code in codes]
    width = 0.84 / len(groups)
    data = []
    notes = []
    for index, group in enumerate(groups):
        rows = [row - 0.42 + width * (index + 0.5) for row in range(len(codes))]
        trace = _horizon_trace(group, rows, names, lang, theme)
        trace["customdata"] = [[code] for code in codes]
        trace["width"] = width * 0.86
        data.append(trace)
        for row, share, end, words in zip(
            rows, group.shares, group.ends, group.labels(lang), strict=True
        ):
            x = max(float(share), end)
            notes.append(marks.note(x, row, words, theme.grey, xanchor="left", xshift=8))
    room = max(end for group in groups for end in group.ends) * 1.75
    return {
        "data": data,
        "layout": layout(
            dark,
            66 * len(codes) + 24,
            barmode="overlay",
            annotations=notes,
            xaxis={"range": [0, room], "showticklabels": False},
            yaxis=marks.row_axis([html.escape(_shortened(labels[code])) for code in codes], theme),
        ),
    }


def _horizon_trace(
    group: _HorizonBars, rows: list[float], names: list[str], lang: str, theme: Theme
) -> dict[str, Any]:
    words = group.labels(lang)
    if group.months is not None:
        words = [
            f"{label} ({text.number(low, 'rate', lang)} – {text.number(high, 'rate', lang)})"
            for label, low, high in zip(words, group.lows, group.highs, strict=True)
        ]
    trace = marks.horizontal_bars(
        [float(share) for share in group.shares],
        rows,
        theme.ink,
        **marks.KEEP_OPACITY,
        name=group.name(lang),
        hovertext=[f"<b>{name}</b><br>{label}" for name, label in zip(names, words, strict=True)],
    )
    if group.months is None:
        return trace
    trace["marker"] = {
        "color": theme.paper,
        "line": {"color": theme.grey, "width": 1},
        "pattern": {"shape": "/", "fgcolor": theme.grey, "size": 5, "solidity": 0.25},
    }
    trace["error_x"] = {
        "type": "data",
        "symmetric": False,
        "color": theme.ink,
        "thickness": 1,
        "width": 3,
        "array": [h - share for h, share in zip(group.highs, group.shares, strict=True)],
        "arrayminus": [share - low for share, low in zip(group.shares, group.lows, strict=True)],
    }
    return trace
