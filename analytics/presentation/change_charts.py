"""Chart of a change: what each part adds to it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.presentation import marks
from analytics.presentation.marks import Figure, MetricFormat
from analytics.presentation.theme import Theme, layout, theme_for

_MOST_PARTS = 12


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
    metric: MetricFormat,
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
    bar_columns = columns[:2]
    rows = _effect_rows(parts, totals, by, columns, labels, lang)
    page = _effects_page(rows, bar_columns, theme, dark)
    data = []
    # The sum is a column of figures: a third panel leaves no room for labels on a narrow screen.
    panel_width = 1.0 if len(columns) == 1 else 0.43
    for index, column in enumerate(bar_columns):
        suffix = "" if index == 0 else str(index + 1)
        left = index * panel_width
        domain = [left, (index + 0.96) * panel_width]
        page[f"xaxis{suffix}"] = page["xaxis"] | {"domain": domain}
        data.append(_effect_bars(rows, column, metric, lang, theme) | {"xaxis": f"x{suffix}"})
        page["annotations"].append(_panel_title(f"changes.{column}", left, "left", lang, theme))
    if len(columns) == 3:
        page["xaxis3"] = page["xaxis"] | {"domain": [0.86, 1], "range": [0, 1], "zeroline": False}
        data.append(_effect_sums(rows, metric, lang, theme) | {"xaxis": "x3"})
        page["annotations"].append(_panel_title("changes.effect", 1, "right", lang, theme))
    return {"data": data, "layout": page}


def _effects_page(
    rows: Sequence[_EffectRow], columns: Sequence[str], theme: Theme, dark: bool
) -> dict[str, Any]:
    """Return the layout without panels: one scale from the smallest to the largest effect."""
    every = [0.0, *(row.effect(column) for row in rows for column in columns)]
    low = min(every)
    high = max(every)
    reach = max(abs(low), abs(high)) or 1.0
    # Room for the sign of a label that reaches over the axis on a narrow screen.
    standoff = 14 if low < 0 else 0
    page = layout(
        dark,
        30 * len(rows) + 46,
        bargap=0.35,
        margin={"t": 26},
        yaxis=marks.row_axis([row.markup for row in rows], theme) | {"ticklabelstandoff": standoff},
    )
    page["xaxis"] |= {
        "anchor": "y",
        "range": [low - reach * 0.9, high + reach * 0.9],
        "showticklabels": False,
        "zeroline": True,
        "zerolinecolor": theme.faint,
    }
    above_total = len(rows) - 1.5
    page["shapes"] = [marks.line((0, 1), (above_total, above_total), theme.rule, xref="paper")]
    page["annotations"] = []
    return page


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
    rows: Sequence[_EffectRow], column: str, metric: MetricFormat, lang: str, theme: Theme
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
    rows: Sequence[_EffectRow], metric: MetricFormat, lang: str, theme: Theme
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
    rows: Sequence[_EffectRow], column: str, metric: MetricFormat, lang: str
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
    name = marks.short_name(labels.get(row[by], row[by]))
    return f"{name} {text.say('changes.' + row['state'], lang)}" if row.get("state") else name


def _effect_hover(effect_row: _EffectRow, metric: MetricFormat, lang: str) -> str:
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
