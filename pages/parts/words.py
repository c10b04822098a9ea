"""The sentences above a page. They only write down computed facts; what was not computed is not said."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analytics import text
from analytics.declared import METRICS
from analytics.look import SMALL
from analytics.text import say
from data.engine import Refused
from pages.parts import bank
from pages.parts.choice import Choice


def level(metric: str, row: Mapping | pd.Series | None, as_of: str | None, compare: str | None, lang: str) -> str:
    """One fact: 2026年10月，逾期率为 3.21%，较上月上升 0.15 百分点.

    `row` is a one-row answer, with `compare` it holds a change; without `as_of` the month is left to the fact before.
    Nothing is said about a metric that could not be answered (`row` is None).
    """
    declared = METRICS[metric]
    name = declared.name[lang]
    if row is None:
        return ""
    if row["n"] < SMALL:
        return say("words.few", lang, metric=name, n=f"{int(row['n']):,}")
    if text.is_missing(row["value"]):
        return f"{name}: {say('words.unknown', lang)}"
    value = text.number(row["value"], declared.unit, lang)
    when = say("words.when", lang, as_of=text.month(as_of, lang)) if as_of else ""
    said = when + say("words.level", lang, metric=name, value=value)
    gap = row.get("change")
    if compare is None or text.is_missing(gap):
        return said
    before = say("words.last_month" if compare == "mom" else "words.last_year", lang)
    moved = text.change(gap, declared.unit, declared.better, lang)
    if moved.arrow == "▬":
        return said + say("words.same", lang, before=before)
    return said + say("words.rose" if gap > 0 else "words.fell", lang, before=before, change=moved.words[1:])


def extreme(here: Choice, metric: str, by: str, *, highest: bool = True) -> str:
    """Who stands highest (or lowest) among the groups of at least 30; empty when there is none to name."""
    declared, lang = METRICS[metric], here.lang
    try:
        answer = bank.ask(bank.about(here, metric, (by,), compare=False))
    except Refused:
        return ""
    rows = answer[(answer["n"] >= SMALL) & answer["value"].notna()]
    if len(rows) < 2:
        return ""
    row = rows.loc[rows["value"].idxmax() if highest else rows["value"].idxmin()]
    name = bank.labels(by, lang, here.scheme).get(row[by], row[by])
    value = text.number(row["value"], declared.unit, lang)
    return say("words.highest" if highest else "words.lowest", lang, metric=declared.name[lang], name=name, value=value)


def sentence(parts: list[str], lang: str) -> str:
    """Facts joined into one sentence; empty ones are left out."""
    said = [part for part in parts if part]
    return say("words.pause", lang).join(said) + say("words.stop", lang) if said else ""
