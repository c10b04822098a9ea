"""Tiles: value · month on month · year on year · gap to target · distance to red line · 24 months · n."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from analytics import text
from analytics.declared import METRICS
from analytics.look import SMALL, look, sparkline
from analytics.text import say
from pages.parts import bank, define, drill
from pages.parts.choice import Choice

MONTHS = 24


@dataclass(frozen=True)
class Tile:
    """The answers behind one tile; `reason` says why there is no value."""

    metric: str
    now: pd.Series | None
    mom: float | None
    yoy: float | None
    trend: Sequence[float]
    reason: str = ""


def answers(here: Choice, metric: str) -> Tile:
    """Ask everything one tile prints."""
    plain = bank.about(here, metric, compare=False)
    now, reason = bank.whole(plain, here.lang)
    if now is None:
        return Tile(metric, None, None, None, (), reason)

    def changed(compare: str) -> float | None:
        row, _ = bank.whole(plain.about(compare=compare), here.lang)
        return None if row is None else row.get("change")

    trend = bank.ask(plain.about(last=MONTHS))["value"].tolist()
    return Tile(metric, now, changed("mom"), changed("yoy"), trend)


def show(here: Choice, metrics: Sequence[str], targets: dict[str, float] | None = None) -> None:
    """A responsive wall of tiles, with the legend of the colours below. `targets` in the metrics' own units."""
    lang = here.lang
    with st.grid(3, min_column_width=260, border=True, gap="small") as wall:
        for metric in metrics:
            tile = answers(here, metric)
            with wall.cell():
                st.html(face(tile, lang, dark=is_dark(), target=(targets or {}).get(metric)))
                if tile.now is not None:
                    with st.container(horizontal=True, gap="small"):
                        st.button(
                            say("tile.list", lang),
                            key=f"tile_{metric}_{lang}",
                            type="tertiary",
                            on_click=drill.open_cell,
                            args=(metric, {}),
                        )
                        define.popover(bank.about(here, metric, compare=False), lang, f"tile_{metric}")
    st.html(f'<p class="lp-note">{html.escape(say("tile.legend", lang))}</p>')


def face(tile: Tile, lang: str, *, dark: bool = False, target: float | None = None) -> str:
    """The printed face of a tile as HTML; every word in it is escaped."""
    metric, tone = METRICS[tile.metric], look(dark)
    name = html.escape(metric.name[lang])
    if tile.now is None:
        reason = f'<p class="lp-note">{html.escape(tile.reason)}</p>'
        return (
            f'<div class="lp-tile"><p class="lp-label">{name}</p><p class="lp-value">{text.NOTHING}</p>{reason}</div>'
        )
    few = tile.now["n"] < SMALL
    value = text.number(tile.now["value"], metric.unit, lang)
    gaps = [("tile.mom", tile.mom), ("tile.yoy", tile.yoy)]
    if target is not None and not text.is_missing(tile.now["value"]):
        gaps.append(("tile.target", tile.now["value"] - target))
    rows = ""
    for key, gap in gaps:
        moved = text.change(gap, metric.unit, metric.better, lang)
        colour = "inherit" if moved.verdict == "plain" else tone.of(moved.verdict)
        hidden = f'<span class="lp-hidden"> {html.escape(say(f"word.{moved.verdict}", lang))}</span>'
        rows += f'<tr><td>{html.escape(say(key, lang))}</td><td style="color:{colour}">{moved}{hidden}</td></tr>'
    alt = say("tile.spark", lang, metric=metric.name[lang], months=len(tile.trend), value=value)
    count = say("tile.n", lang, n=f"{int(tile.now['n']):,}") + (f" · {say('figure.few', lang)}" if few else "")
    return (
        f'<div class="lp-tile{" lp-few" if few else ""}"><p class="lp-label">{name}</p><p class="lp-value">{value}</p>'
        f"<table>{rows}</table>"
        f'<div class="lp-foot"><span>{html.escape(count)}</span>{sparkline(tile.trend, alt, tone.ink)}</div></div>'
    )


def is_dark() -> bool:
    """Whether the reader's page is dark."""
    return st.context.theme.type == "dark"
