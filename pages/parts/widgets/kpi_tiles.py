"""KPI tiles: value, month on month, year on year, gap to target, room to red line, 24 months, n."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE
from analytics.metrics.targets import NONE, Target
from analytics.presentation.theme import Theme, sparkline, theme_for
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import definition, drilldown, fragments
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark

MONTHS = 24


@dataclass(frozen=True)
class Tile:
    """The answers behind one tile.

    Parameters
    ----------
    row
        The answer of the month; None where there is none, for which `reason` says why.
    mom, yoy
        Change on the month and on the year before.
    trend
        The value of the last 24 months.
    target
        Target and red line.
    second
        A metric printed beside the value, with its row.
    """

    metric: str
    row: pd.Series | None
    mom: float | None
    yoy: float | None
    trend: Sequence[float]
    reason: str = ""
    target: Target = NONE
    second: tuple[str, pd.Series] | None = None


def answers(selection: Selection, metric: str, second: str = "") -> Tile:
    """Answer every question of one tile."""
    question = queries.question_for(selection, metric, compare=False)
    row, reason = queries.total_row(question, selection.lang)
    if row is None:
        return Tile(metric, None, None, None, (), reason)

    def change(compare: str) -> float | None:
        changes, _ = queries.total_row(question.with_changes(compare=compare), selection.lang)
        return None if changes is None else changes.get("change")

    second_row = None
    if second:
        second_question = question.with_changes(second, compare="mom")
        second_row, _ = queries.total_row(second_question, selection.lang)
    return Tile(
        metric,
        row,
        mom=change("mom"),
        yoy=change("yoy"),
        trend=queries.ask(question.with_changes(last=MONTHS))["value"].tolist(),
        target=queries.targets_of(selection).get(metric, NONE),
        second=None if second_row is None else (second, second_row),
    )


def show(
    selection: Selection, metrics: Sequence[str], seconds: Mapping[str, str] | None = None
) -> None:
    """Draw a grid of tiles with the legend of the colours; `seconds`: tile → metric beside it."""

    def draw() -> None:
        _draw_tiles(selection, metrics, seconds or {})

    fragments.rerunnable_section(selection, f"tiles_{selection.lang}", draw)


def _draw_tiles(selection: Selection, metrics: Sequence[str], seconds: Mapping[str, str]) -> None:
    with st.grid(3, min_column_width=260, border=True, gap="small") as grid:
        for metric in metrics:
            tile = queries.cached_view(answers, selection, metric, seconds.get(metric, ""))
            with grid.cell():
                _draw_tile(selection, tile)
    lang = selection.lang
    legend = [say("tile.legend", lang)]
    if "target" in queries.empty_tables():
        legend.append(say("tile.absent", lang))
    elif selection.where:
        legend.append(say("tile.narrowed", lang))
    caption(" ".join(legend))


def _draw_tile(selection: Selection, tile: Tile) -> None:
    lang = selection.lang
    metric = tile.metric
    st.html(face(tile, lang, dark=is_dark()))
    if tile.row is None:
        return
    with st.container(horizontal=True, gap="small"):
        st.button(
            say("tile.list", lang),
            key=f"tile_{metric}_{lang}",
            type="tertiary",
            on_click=drilldown.open_cell,
            args=(metric, {}),
        )
        question = queries.question_for(selection, metric, compare=False)
        definition.popover(question, lang, f"tile_{metric}")


def face(tile: Tile, lang: str, *, dark: bool = False) -> str:
    """Return the tile as HTML; every word in it is escaped."""
    metric = METRICS[tile.metric]
    tone = theme_for(dark)
    label = f'<p class="lp-label">{html.escape(metric.name[lang])}</p>'
    if tile.row is None:
        reason = f'<p class="lp-note">{html.escape(tile.reason)}</p>'
        return f'<div class="lp-tile">{label}<p class="lp-value">{text.NOTHING}</p>{reason}</div>'
    value = text.number(tile.row["value"], metric.unit, lang)
    mom = text.change(tile.mom, metric.unit, metric.better, lang)
    yoy = text.change(tile.yoy, metric.unit, metric.better, lang)
    lines = [
        _line(say("tile.mom", lang), mom, tone, lang),
        _line(say("tile.yoy", lang), yoy, tone, lang),
        *_target_lines(tile, tile.row["value"], lang, tone),
    ]
    months = len(tile.trend)
    alt = say("tile.spark", lang, metric=metric.name[lang], months=months, value=value)
    count = say("tile.n", lang, n=f"{int(tile.row['n']):,}")
    style = "lp-tile"
    if tile.row["n"] < MIN_GROUP_SIZE:
        count += f" · {say('figure.few', lang)}"
        style = "lp-tile lp-few"
    return (
        f'<div class="{style}">{label}<p class="lp-value">{value}</p>'
        f"{_second(tile, lang, tone)}<table>{''.join(lines)}</table>"
        f'<div class="lp-foot"><span>{html.escape(count)}</span>'
        f"{sparkline(tile.trend, alt, tone.ink)}</div></div>"
    )


def _line(label: str, change: text.Change, tone: Theme, lang: str, hint: str = "") -> str:
    verdict = html.escape(say(f"word.{change.verdict}", lang))
    hidden = f'<span class="lp-hidden"> {verdict}</span>'
    title = f' title="{html.escape(hint, quote=True)}"' if hint else ""
    return (
        f"<tr{title}><td>{html.escape(label)}</td>"
        f'<td style="color:{_colour(change, tone)}">{html.escape(str(change))}{hidden}</td></tr>'
    )


def _colour(change: text.Change, tone: Theme) -> str:
    return "inherit" if change.verdict == "plain" else tone.verdict_colour(change.verdict)


def _target_lines(tile: Tile, value: float, lang: str, tone: Theme) -> list[str]:
    """Return gap to target and room to red line; nothing where neither is set."""
    limits = tile.target
    if limits.target is None and limits.red_line is None:
        return []
    document = limits.document[lang] if limits.document else ""
    target = say("tile.target", lang) + _number_after(limits.target, tile.metric, lang)
    red_line = say("tile.red_line", lang) + _number_after(limits.red_line, tile.metric, lang)
    return [
        _line(target, _gap_to_target(tile, value, lang), tone, lang),
        _line(red_line, _room_to_red_line(tile, value, lang), tone, lang, document),
    ]


def _number_after(value: float | None, metric: str, lang: str) -> str:
    return "" if value is None else f" {text.number(value, METRICS[metric].unit, lang)}"


def _unknown(limit: float | None, lang: str) -> text.Change:
    """Return the words for a target or red line that is not set, or cannot be compared with."""
    words = say("tile.unset", lang) if limit is None else text.NOTHING
    return text.Change("", words, "plain")


def _gap_to_target(tile: Tile, value: float, lang: str) -> text.Change:
    metric = METRICS[tile.metric]
    gap = tile.target.gap(value)
    if gap is None:
        return _unknown(tile.target.target, lang)
    return text.change(gap, metric.unit, metric.better, lang)


def _room_to_red_line(tile: Tile, value: float, lang: str) -> text.Change:
    metric = METRICS[tile.metric]
    room = tile.target.headroom(value, metric.better)
    if room is None:
        return _unknown(tile.target.red_line, lang)
    size = text.change(room, metric.unit, "higher", lang)
    if size.verdict == "bad":
        return text.Change("", say("tile.beyond", lang, size=size.words[1:]), "bad")
    return text.Change("", say("tile.left", lang, size=size.words[1:]), "plain")


def _second(tile: Tile, lang: str, tone: Theme) -> str:
    if tile.second is None:
        return ""
    id, row = tile.second
    metric = METRICS[id]
    change = text.change(row.get("change"), metric.unit, metric.better, lang)
    value = text.number(row["value"], metric.unit, lang)
    words = html.escape(f"{metric.name[lang]} {value} · {say('tile.mom', lang)} ")
    span = f'<span style="color:{_colour(change, tone)}">{html.escape(str(change))}</span>'
    return f'<p class="lp-second">{words}{span}</p>'
