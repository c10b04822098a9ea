"""Charts of sums and their parts: a waterfall from gross to net, two amounts side by side."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import Metric
from analytics.presentation import marks
from analytics.presentation.marks import Figure
from analytics.presentation.theme import Theme, layout, theme_for, value_axis


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall, in CNY.

    `kind` is plus (added), minus (taken away) or total (drawn from zero).
    """

    code: str
    name: str
    value: float
    kind: str = "plus"
    hint: str = ""


_SIGNS = {"plus": "+", "minus": "−", "total": ""}


def waterfall(steps: Sequence[Step], lang: str, *, dark: bool = False) -> Figure:
    """Draw steps from top to bottom, each from where the one before ended; totals in ink."""
    theme = theme_for(dark)
    colours = {"plus": theme.accent, "minus": theme.faint, "total": theme.ink}
    bases, ends = _spans(steps)
    words = [_SIGNS[step.kind] + text.number(step.value, "money", lang) for step in steps]
    rows = list(range(len(steps)))
    connectors = [
        marks.line((end, end), (row, row + 1), theme.rule, layer="below")
        for row, end in zip(rows[:-1], ends[:-1], strict=True)
    ]
    labels = [
        marks.note(max(base, end), row, label, theme.ink, 13, xanchor="left", xshift=6)
        for row, base, end, label in zip(rows, bases, ends, words, strict=True)
    ]
    scale = value_axis([*bases, *ends], "money", lang, theme)
    reach = max(0.0, *bases, *ends)
    scale["range"] = [min(scale["range"][0], *bases, *ends), reach * 1.42]
    trace = marks.horizontal_bars(
        [end - base for base, end in zip(bases, ends, strict=True)],
        rows,
        [colours[step.kind] for step in steps],
        **marks.KEEP_OPACITY,
        base=bases,
        customdata=[[step.code] for step in steps],
        hovertext=[_step_hover(step, label) for step, label in zip(steps, words, strict=True)],
    )
    page = layout(
        dark,
        32 * len(steps) + 24,
        bargap=0.35,
        shapes=connectors,
        annotations=labels,
        xaxis=marks.without_ticks(scale),
        yaxis=marks.row_axis([html.escape(step.name) for step in steps], theme),
    )
    return {"data": [trace], "layout": page}


def _spans(steps: Sequence[Step]) -> tuple[list[float], list[float]]:
    """Return where each bar begins and where it ends."""
    bases = []
    ends = []
    level = 0.0
    for step in steps:
        if step.kind == "total":
            bases.append(0.0)
            level = step.value
        else:
            bases.append(level)
            level += -step.value if step.kind == "minus" else step.value
        ends.append(level)
    return bases, ends


def _step_hover(step: Step, label: str) -> str:
    lines = [f"<b>{html.escape(step.name)}</b>", label]
    if step.hint:
        lines.append(html.escape(step.hint))
    return "<br>".join(lines)


def pairs(
    frames: tuple[pd.DataFrame, pd.DataFrame],
    metrics: tuple[Metric, Metric],
    by: str,
    labels: Mapping[str, str],
    lang: str,
    *,
    dark: bool = False,
) -> Figure:
    """Draw two amounts (CNY) per value of a dimension on one scale: first grey, second accent.

    Each frame is the answer of its metric: the dimension `by`, value, n. Both bars start at zero.
    Groups below 30 are faint and say so.
    """
    theme = theme_for(dark)
    sides = [
        dict(zip(frame[by].astype("str"), frame.itertuples(), strict=True)) for frame in frames
    ]
    codes = [code for code in labels if code in sides[0] or code in sides[1]]
    data = [
        _pair_bars(sides[0], codes, -0.19, metrics[0], labels, lang, theme.faint, theme),
        _pair_bars(sides[1], codes, 0.19, metrics[1], labels, lang, theme.accent, theme),
    ]
    page = layout(
        dark,
        44 * max(2, len(codes)) + 20,
        barmode="overlay",
        xaxis=_pair_scale(sides, lang, theme),
        yaxis=marks.row_axis([html.escape(labels[code]) for code in codes], theme),
    )
    return {"data": data, "layout": page}


def _pair_scale(sides: Sequence[Mapping[str, Any]], lang: str, theme: Theme) -> dict[str, Any]:
    """Return the scale of both amounts, with room for the labels at the ends of the bars."""
    every = [
        float(row.value)
        for side in sides
        for row in side.values()
        if not text.is_missing(row.value)
    ]
    low = min(0.0, 0.0, *every)
    high = max(0.0, 0.0, *every)
    room = (high - low) * 0.17
    scale = marks.without_ticks(value_axis(every, "money", lang, theme))
    return scale | {
        "range": [low - room if low < 0 else 0.0, high + room],
        "zeroline": True,
        "zerolinecolor": theme.faint,
    }


def _pair_bars(
    side: Mapping[str, Any],
    codes: Sequence[str],
    shift: float,
    metric: Metric,
    labels: Mapping[str, str],
    lang: str,
    colour: str,
    theme: Theme,
) -> dict[str, Any]:
    name = metric.name[lang]
    positions = []
    values = []
    colours = []
    words = []
    marked = []
    hover = []
    for position, code in enumerate(codes):
        if code not in side:
            continue
        row = side[code]
        few = marks.small_group_note(row.n, lang)
        value = None if text.is_missing(row.value) else float(row.value)
        amount = text.number(value, metric.unit, lang)
        positions.append(position + shift)
        values.append(value)
        colours.append(theme.rule if few else colour)
        words.append(f"{amount}  {few}".strip())
        marked.append([metric.id, code])
        hover.append(
            f"<b>{html.escape(labels[code])}</b><br>"
            f"{html.escape(name)} {amount}<br>n = {int(row.n):,}"
        )
    return marks.horizontal_bars(
        values,
        positions,
        colours,
        **marks.labels_at_end(words, theme, 12),
        **marks.KEEP_OPACITY,
        name=name,
        width=0.34,
        customdata=marked,
        hovertext=hover,
    )
