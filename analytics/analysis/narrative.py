"""The change in one sentence, from computed facts alone: it writes down what bridge and noise found, and
computes nothing.

Where the facts do not carry a statement (no month to compare with, fewer than 30, no denominator) it says
数据不足，无法判断.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from analytics.analysis.attribution import GONE, NEW, Bridge, bridge
from analytics.analysis.significance import FEW, SignificanceResult, noise
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE, Metric, dimension_named, metric_named
from analytics.metrics.edition_metadata import labels
from analytics.metrics.query import Question, ask, check
from analytics.rulebooks import NoEdition
from analytics.rulebooks.registry import schemes
from data.errors import UserError


def describe_change(bank, question: Question, before: date, lang: str, halves: bool = False) -> str:
    """The sentence for the change from `before` to `question.as_of` by the first split of the question.

    `halves` names numerator and denominator. Raises UserError where the later month itself cannot be asked.
    """
    with bank.session() as view:
        check(view, question.about(last=1, compare=None))
        split = question.by[0] if question.by else ""
        names = labels(view, split, lang, question.scheme) if split else {}
    try:
        found = bridge(bank, question, before)
        judged = noise(bank, question, before)
    except UserError:
        row = ask(bank, question.about(by=(), last=1, compare=None)).iloc[0]
        return level_only(row, question, before, lang)
    return compose(found, judged, names, lang, halves)


def level_only(
    row: Mapping[str, Any] | pd.Series, question: Question, before: date, lang: str
) -> str:
    """The sentence where the change cannot be told: the level, and that the data do not carry more."""
    metric = metric_named(question.metric)
    said = _level(metric, row, question.as_of, lang)
    if row["n"] < MIN_GROUP_SIZE or text.is_missing(row["value"]):
        return said + say("words.stop", lang)
    lacking = say("sentence.no_change", lang, before=text.month(before, lang))
    return said + say("words.pause", lang) + lacking + say("words.stop", lang)


def compose(
    found: Bridge, judged: SignificanceResult | None, names: Mapping[str, str], lang: str, halves: bool = False
) -> str:  # fmt: skip
    """The sentence of a bridge and what the noise check said of its whole. `names`: code → words of the first split."""
    metric, whole = metric_named(found.question.metric), found.whole
    said = _level(metric, whole, found.question.as_of, lang)
    if min(whole["n"], whole["n_before"]) < MIN_GROUP_SIZE or text.is_missing(found.change):
        return said + say("words.stop", lang)
    if halves and metric.denominator_sql:
        said += _halves(metric, whole, lang)
    moved = _change(metric, found.change, lang)
    before = text.month(found.before, lang)
    if moved.arrow == "▬":
        said += say("sentence.same", lang, before=before)
    else:
        way = "sentence.rose" if found.change > 0 else "sentence.fell"
        said += say(way, lang, before=before, change=moved.words[1:])
    if judged is not None and judged.whole["verdict"] != FEW:
        said += say(
            "sentence.verdict", lang, verdict=say(f"verdict.{judged.whole['verdict']}", lang)
        )
    parts = [said, *reasons(found, names, lang)]
    return say("words.pause", lang).join(part for part in parts if part) + say("words.stop", lang)


def _change(metric: Metric, value: float, lang: str) -> text.Change:
    return text.change(value, metric.unit, metric.better, lang)


def _level(metric: Metric, row: Mapping[str, Any] | pd.Series, as_of: date, lang: str) -> str:
    when = say("words.when", lang, as_of=text.month(as_of, lang))
    if row["n"] < MIN_GROUP_SIZE:
        return when + say("words.few", lang, metric=metric.name[lang], n=f"{int(row['n']):,}")
    if text.is_missing(row["value"]):
        return f"{when}{metric.name[lang]}{say('words.colon', lang)}{say('words.unknown', lang)}"
    value = text.number(row["value"], metric.unit, lang)
    return when + say("words.level", lang, metric=metric.name[lang], value=value)


def _halves(metric: Metric, whole: pd.Series, lang: str) -> str:
    unit = metric.measure
    return say(
        "sentence.halves", lang, numerator=text.number(whole["numerator"], unit, lang),
        denominator=text.number(whole["denominator"], "count" if metric.weight == "1" else unit, lang),
        n=f"{int(whole['n']):,}",
    )  # fmt: skip


def reasons(found: Bridge, names: Mapping[str, str], lang: str) -> list[str]:
    """Why: the sums of the two effects and whether they pull apart, the largest of each, what is new and what
    is gone."""
    metric, split, parts = metric_named(found.question.metric), found.question.by[0], found.parts

    def name(code: str) -> str:
        return say("sentence.quoted", lang, name=names.get(code, code))

    said = []
    if found.rate is None:
        top = parts.iloc[0] if len(parts) else None
        if top is not None and _counts(metric, top["effect"], lang):
            effect = _change(metric, top["effect"], lang).words
            said.append(say("sentence.largest", lang, name=name(top[split]), effect=effect))
    elif _counts(metric, found.rate, lang) or _counts(metric, found.mix, lang):
        said.append(_story(found, metric, lang))
        for kind in ("rate", "mix"):
            top = parts.loc[parts[f"{kind}_effect"].abs().idxmax()]
            if _counts(metric, top[f"{kind}_effect"], lang):
                effect = _change(metric, top[f"{kind}_effect"], lang).words
                said.append(
                    say(f"sentence.largest_{kind}", lang, name=name(top[split]), effect=effect)
                )
    for state in (NEW, GONE):
        codes = list(parts.loc[parts["state"] == state, split])
        if codes:
            said.append(
                say(
                    f"sentence.{state}",
                    lang,
                    names=text.listing([name(code) for code in codes], lang),
                )
            )
    return said


def _counts(metric: Metric, effect: float, lang: str) -> bool:
    """Whether an effect is more than nothing as printed."""
    return math.isfinite(effect) and _change(metric, effect, lang).arrow != "▬"


def _story(found: Bridge, metric: Metric, lang: str) -> str:
    """How the two sums stand to the change: each part one way and the whole the other (Simpson), apart, or together."""
    rate, mix = (_change(metric, effect, lang) for effect in (found.rate, found.mix))
    values = {"rate": rate.words, "mix": mix.words, "split": split_name(found.question.by[0], lang)}
    known = found.parts[
        (found.parts[["n", "n_before"]].min(axis=1) >= MIN_GROUP_SIZE)
        & found.parts["change"].notna()
    ]
    ways = {_change(metric, change, lang).arrow for change in known["change"]} - {"▬"}
    whole = _change(metric, found.change, lang).arrow
    if len(ways) == 1 and whole not in (*ways, "▬") and rate.arrow in ways and mix.arrow == whole:
        return say(f"sentence.simpson_{'up' if whole == '▲' else 'down'}", lang, **values)
    if {rate.arrow, mix.arrow} == {"▲", "▼"}:
        return say("sentence.apart", lang, **values)
    return say("sentence.effects", lang, **values)


def split_name(split: str, lang: str) -> str:
    """The name of a split within a sentence."""
    name = say("table.class", lang) if split == "class" else dimension_named(split).name[lang]
    return name.lower()


def context(edition: Any, question: Question, lang: str) -> str:
    """Which data and which rules a sentence speaks of: edition, day, and the edition of the rulebook in force."""
    scheme = schemes()[question.scheme]
    try:
        since = text.day(scheme.edition(question.as_of).effective_on, lang)
    except NoEdition:
        since = text.NOTHING
    name = scheme.names["zh" if lang == "zh-CN" else "en"]
    as_of = text.day(edition.as_of, lang)
    return say(
        "sentence.context", lang, edition=edition.id[:8], as_of=as_of, scheme=name, since=since
    )
