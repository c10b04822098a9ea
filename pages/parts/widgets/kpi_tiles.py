"""Tiles: value · month on month · year on year · gap to target · distance to red line · 24 months · n."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE
from analytics.metrics.targets import NONE, Mark
from analytics.presentation.theme import Look, look, sparkline
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import definition, drilldown
from pages.parts.widgets.theme import is_dark

MONTHS = 24


@dataclass(frozen=True)
class Tile:
    """The answers behind one tile; `reason` says why there is no value; `second` a metric beside it with its row."""

    metric: str
    now: pd.Series | None
    mom: float | None
    yoy: float | None
    trend: Sequence[float]
    reason: str = ""
    mark: Mark = NONE
    second: tuple[str, pd.Series] | None = None


def answers(selection: Selection, metric: str, second: str = "") -> Tile:
    """Ask everything one tile prints."""
    plain = queries.question_for(selection, metric, compare=False)
    now, reason = queries.total_row(plain, selection.lang)
    if now is None:
        return Tile(metric, None, None, None, (), reason)

    def changed(compare: str) -> float | None:
        row, _ = queries.total_row(plain.about(compare=compare), selection.lang)
        return None if row is None else row.get("change")

    trend = queries.ask(plain.about(last=MONTHS))["value"].tolist()
    beside = (
        queries.total_row(plain.about(second, compare="mom"), selection.lang)[0] if second else None
    )
    return Tile(
        metric,
        now,
        changed("mom"),
        changed("yoy"),
        trend,
        mark=queries.targets_of(selection).get(metric, NONE),
        second=None if beside is None else (second, beside),
    )


def show(
    selection: Selection, metrics: Sequence[str], seconds: Mapping[str, str] | None = None
) -> None:
    """A responsive wall of tiles, with the legend of the colours below. `seconds`: tile → the metric beside it."""
    drilldown.rerunnable_section(
        selection, f"tiles_{selection.lang}", lambda: _draw_tiles(selection, metrics, seconds or {})
    )


def _draw_tiles(selection: Selection, metrics: Sequence[str], seconds: Mapping[str, str]) -> None:
    lang = selection.lang
    with st.grid(3, min_column_width=260, border=True, gap="small") as wall:
        for metric in metrics:
            tile = queries.cached_view(answers, selection, metric, seconds.get(metric, ""))
            with wall.cell():
                st.html(face(tile, lang, dark=is_dark()))
                if tile.now is not None:
                    with st.container(horizontal=True, gap="small"):
                        st.button(
                            say("tile.list", lang),
                            key=f"tile_{metric}_{lang}",
                            type="tertiary",
                            on_click=drilldown.open_cell,
                            args=(metric, {}),
                        )
                        definition.popover(
                            queries.question_for(selection, metric, compare=False),
                            lang,
                            f"tile_{metric}",
                        )
    said = [say("tile.legend", lang)]
    if "target" in queries.empty_tables():
        said.append(say("tile.absent", lang))
    elif selection.where:
        said.append(say("tile.narrowed", lang))
    st.html(f'<p class="lp-note">{html.escape(" ".join(said))}</p>')


def face(tile: Tile, lang: str, *, dark: bool = False) -> str:
    """The printed face of a tile as HTML; every word in it is escaped."""
    metric, tone = METRICS[tile.metric], look(dark)
    name = html.escape(metric.name[lang])
    if tile.now is None:
        reason = f'<p class="lp-note">{html.escape(tile.reason)}</p>'
        return f'<div class="lp-tile"><p class="lp-label">{name}</p><p class="lp-value">{text.NOTHING}</p>{reason}</div>'
    few = tile.now["n"] < MIN_GROUP_SIZE
    value = text.number(tile.now["value"], metric.unit, lang)
    lines = [
        _line(
            say("tile.mom", lang),
            text.change(tile.mom, metric.unit, metric.better, lang),
            tone,
            lang,
        ),
        _line(
            say("tile.yoy", lang),
            text.change(tile.yoy, metric.unit, metric.better, lang),
            tone,
            lang,
        ),
        *_target_lines(tile, lang, tone),
    ]
    alt = say("tile.spark", lang, metric=metric.name[lang], months=len(tile.trend), value=value)
    count = say("tile.n", lang, n=f"{int(tile.now['n']):,}") + (
        f" · {say('figure.few', lang)}" if few else ""
    )
    return (
        f'<div class="lp-tile{" lp-few" if few else ""}"><p class="lp-label">{name}</p><p class="lp-value">{value}</p>'
        f"{_second(tile, lang, tone)}<table>{''.join(lines)}</table>"
        f'<div class="lp-foot"><span>{html.escape(count)}</span>{sparkline(tile.trend, alt, tone.ink)}</div></div>'
    )


def _line(label: str, moved: text.Change, tone: Look, lang: str, hint: str = "") -> str:
    colour = "inherit" if moved.verdict == "plain" else tone.of(moved.verdict)
    hidden = f'<span class="lp-hidden"> {html.escape(say(f"word.{moved.verdict}", lang))}</span>'
    title = f' title="{html.escape(hint, quote=True)}"' if hint else ""
    return (
        f"<tr{title}><td>{html.escape(label)}</td>"
        f'<td style="color:{colour}">{html.escape(str(moved))}{hidden}</td></tr>'
    )


def _target_lines(tile: Tile, lang: str, tone: Look) -> list[str]:
    """Gap to the target and distance to the red line, the one that is missing said to be unset; nothing where nobody
    set either."""
    metric, mark, value = METRICS[tile.metric], tile.mark, tile.now["value"]
    if mark.target is None and mark.red_line is None:
        return []
    gap, room = mark.gap(value), mark.room(value, metric.better)
    unset = text.Change("", say("tile.unset", lang), "plain")
    target, line = (
        "" if one is None else f" {text.number(one, metric.unit, lang)}"
        for one in (mark.target, mark.red_line)
    )
    unknown = text.Change("", text.NOTHING, "plain")
    moved, left = (unset if one is None else unknown for one in (mark.target, mark.red_line))
    if gap is not None:
        moved = text.change(gap, metric.unit, metric.better, lang)
    if room is not None:
        size = text.change(room, metric.unit, "higher", lang)
        beyond = size.verdict == "bad"
        words = say("tile.beyond" if beyond else "tile.left", lang, size=size.words[1:])
        left = text.Change("", words, "bad" if beyond else "plain")
    document = mark.document[lang] if mark.document else ""
    return [
        _line(say("tile.target", lang) + target, moved, tone, lang),
        _line(say("tile.red_line", lang) + line, left, tone, lang, document),
    ]


def _second(tile: Tile, lang: str, tone: Look) -> str:
    if tile.second is None:
        return ""
    id, row = tile.second
    metric = METRICS[id]
    moved = text.change(row.get("change"), metric.unit, metric.better, lang)
    colour = "inherit" if moved.verdict == "plain" else tone.of(moved.verdict)
    said = f"{metric.name[lang]} {text.number(row['value'], metric.unit, lang)} · {say('tile.mom', lang)} "
    return f'<p class="lp-second">{html.escape(said)}<span style="color:{colour}">{html.escape(str(moved))}</span></p>'
