"""Chart of a forecast: shares now and expected, with their bands."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.presentation import marks
from analytics.presentation.marks import Figure
from analytics.presentation.theme import Theme, layout, theme_for


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
            yaxis=marks.row_axis(
                [html.escape(marks.short_name(labels[code])) for code in codes], theme
            ),
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
