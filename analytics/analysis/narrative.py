"""The change of a metric in one sentence, from the bridge and the significance test alone.

Where they do not support a statement (no month to compare with, fewer than 30, no denominator), the
sentence says 数据不足，无法判断.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from analytics.analysis.attribution import GONE, NEW, Bridge, bridge
from analytics.analysis.significance import TOO_FEW, SignificanceResult, assess_change
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import (
    MIN_GROUP_SIZE,
    Metric,
    dimension_named,
    metric_named,
)
from analytics.metrics.edition_metadata import labels
from analytics.metrics.query import ask, check
from analytics.metrics.question import Question
from analytics.rulebooks import NoEdition
from analytics.rulebooks.registry import schemes
from data.editions.manifest import Edition
from data.editions.reader import Warehouse
from data.errors import UserError

Row = Mapping[str, Any] | pd.Series


def describe_change(
    warehouse: Warehouse, question: Question, before: date, lang: str, halves: bool = False
) -> str:
    """Describe the change from `before` to `question.as_of` by the question's first dimension.

    `halves` adds numerator and denominator. Raises UserError where the later month cannot be asked.
    """
    names: dict[str, str] = {}
    with warehouse.session() as reader:
        check(reader, question.with_changes(last=1, compare=None))
        if question.by:
            names = labels(reader, question.by[0], lang, question.scheme)
    try:
        result = bridge(warehouse, question, before)
        significance = assess_change(warehouse, question, before)
    except UserError:
        level = question.with_changes(by=(), last=1, compare=None)
        return level_only(ask(warehouse, level).iloc[0], question, before, lang)
    return compose(result, significance, names, lang, halves)


def level_only(row: Row, question: Question, before: date, lang: str) -> str:
    """Return the sentence where the change is unknown: the level, and that data are lacking."""
    metric = metric_named(question.metric)
    level = _level(metric, row, question.as_of, lang)
    if row["n"] < MIN_GROUP_SIZE or text.is_missing(row["value"]):
        return level + say("words.stop", lang)
    lacking = say("sentence.no_change", lang, before=text.month(before, lang))
    return level + say("words.pause", lang) + lacking + say("words.stop", lang)


def compose(
    bridge: Bridge,
    significance: SignificanceResult | None,
    names: Mapping[str, str],
    lang: str,
    halves: bool = False,
) -> str:
    """Return the sentence of a bridge and its significance; `names` labels the first dimension."""
    metric = metric_named(bridge.question.metric)
    whole = bridge.whole
    sentence = _level(metric, whole, bridge.question.as_of, lang)
    if min(whole["n"], whole["n_before"]) < MIN_GROUP_SIZE or text.is_missing(bridge.change):
        return sentence + say("words.stop", lang)
    if halves and metric.denominator_sql:
        sentence += _numerator_and_denominator(metric, whole, lang)
    change = _change(metric, bridge.change, lang)
    before = text.month(bridge.before, lang)
    if change.arrow == "▬":
        sentence += say("sentence.same", lang, before=before)
    else:
        direction = "sentence.rose" if bridge.change > 0 else "sentence.fell"
        sentence += say(direction, lang, before=before, change=change.words[1:])
    if significance is not None and significance.whole["verdict"] != TOO_FEW:
        verdict = say(f"verdict.{significance.whole['verdict']}", lang)
        sentence += say("sentence.verdict", lang, verdict=verdict)
    clauses = [sentence, *reasons(bridge, names, lang)]
    return say("words.pause", lang).join(filter(None, clauses)) + say("words.stop", lang)


def _change(metric: Metric, value: float, lang: str) -> text.Change:
    return text.change(value, metric.unit, metric.better, lang)


def _level(metric: Metric, row: Row, as_of: date, lang: str) -> str:
    when = say("words.when", lang, as_of=text.month(as_of, lang))
    name = metric.name[lang]
    if row["n"] < MIN_GROUP_SIZE:
        return when + say("words.few", lang, metric=name, n=f"{int(row['n']):,}")
    if text.is_missing(row["value"]):
        return f"{when}{name}{say('words.colon', lang)}{say('words.unknown', lang)}"
    value = text.number(row["value"], metric.unit, lang)
    return when + say("words.level", lang, metric=name, value=value)


def _numerator_and_denominator(metric: Metric, whole: pd.Series, lang: str) -> str:
    unit = "count" if metric.counts_rows else metric.measure
    return say(
        "sentence.halves",
        lang,
        numerator=text.number(whole["numerator"], metric.measure, lang),
        denominator=text.number(whole["denominator"], unit, lang),
        n=f"{int(whole['n']):,}",
    )


def reasons(bridge: Bridge, names: Mapping[str, str], lang: str) -> list[str]:
    """Return the clauses that explain a change.

    The sums of the two effects and whether they have opposite signs, the largest effect of each
    kind, and the parts that are new or gone.
    """
    metric = metric_named(bridge.question.metric)
    dimension = bridge.question.by[0]
    parts = bridge.parts
    clauses = []
    if bridge.rate is None or bridge.mix is None:
        clauses += _largest(metric, bridge, "effect", "sentence.largest", names, lang)
    elif _is_printed(metric, bridge.rate, lang) or _is_printed(metric, bridge.mix, lang):
        clauses.append(_story(bridge, bridge.rate, bridge.mix, lang))
        for kind in ("rate", "mix"):
            key = f"sentence.largest_{kind}"
            clauses += _largest(metric, bridge, f"{kind}_effect", key, names, lang)
    for state in (NEW, GONE):
        codes = parts.loc[parts["state"] == state, dimension]
        if len(codes):
            labelled = text.listing([_quoted(names, code, lang) for code in codes], lang)
            clauses.append(say(f"sentence.{state}", lang, names=labelled))
    return clauses


def _largest(
    metric: Metric, bridge: Bridge, column: str, key: str, names: Mapping[str, str], lang: str
) -> list[str]:
    """The clause on the part with the largest effect; none where it rounds to nothing."""
    if bridge.parts.empty:
        return []
    part = bridge.parts.loc[bridge.parts[column].abs().idxmax()]
    if not _is_printed(metric, part[column], lang):
        return []
    name = _quoted(names, part[bridge.question.by[0]], lang)
    return [say(key, lang, name=name, effect=_change(metric, part[column], lang).words)]


def _quoted(names: Mapping[str, str], code: str, lang: str) -> str:
    return say("sentence.quoted", lang, name=names.get(code, code))


def _is_printed(metric: Metric, effect: float, lang: str) -> bool:
    """Whether an effect is more than nothing after rounding."""
    return math.isfinite(effect) and _change(metric, effect, lang).arrow != "▬"


def _story(bridge: Bridge, rate_effect: float, mix_effect: float, lang: str) -> str:
    """Return how the two effects relate to the change.

    Every part changed in one direction and the whole in the other (Simpson's paradox), the effects
    have opposite signs, or they have the same sign.
    """
    metric = metric_named(bridge.question.metric)
    rate = _change(metric, rate_effect, lang)
    mix = _change(metric, mix_effect, lang)
    dimension = dimension_name(bridge.question.by[0], lang)
    values = {"rate": rate.words, "mix": mix.words, "split": dimension}
    parts = bridge.parts
    is_enough = parts[["n", "n_before"]].min(axis=1) >= MIN_GROUP_SIZE
    changes = parts.loc[is_enough & parts["change"].notna(), "change"]
    arrows = {_change(metric, change, lang).arrow for change in changes} - {"▬"}
    whole = _change(metric, bridge.change, lang).arrow
    is_opposite = len(arrows) == 1 and whole not in (*arrows, "▬")
    if is_opposite and rate.arrow in arrows and mix.arrow == whole:
        return say(f"sentence.simpson_{'up' if whole == '▲' else 'down'}", lang, **values)
    if {rate.arrow, mix.arrow} == {"▲", "▼"}:
        return say("sentence.apart", lang, **values)
    return say("sentence.effects", lang, **values)


def dimension_name(dimension: str, lang: str) -> str:
    """Return the name of a dimension as it is written within a sentence."""
    if dimension == "class":
        return say("table.class", lang).lower()
    return dimension_named(dimension).name[lang].lower()


def context(edition: Edition, question: Question, lang: str) -> str:
    """Return the data and the rules behind a sentence: edition, date and rulebook in force."""
    scheme = schemes()[question.scheme]
    try:
        since = text.day(scheme.edition(question.as_of).effective_on, lang)
    except NoEdition:
        since = text.NOTHING
    return say(
        "sentence.context",
        lang,
        edition=edition.id[:8],
        as_of=text.day(edition.as_of, lang) if edition.as_of else text.NOTHING,
        scheme=scheme.names[lang],
        since=since,
    )
