"""The sentences above pages and charts, made from computed values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, Metric
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection


def level(
    metric: str,
    row: Mapping[str, Any] | pd.Series | None,
    as_of: str | None,
    compare: str | None,
    lang: str,
) -> str:
    """Return one fact: 2026年10月，逾期率为 3.21%，较上月上升 0.15 百分点.

    `row` is a one-row answer, with a change under `compare`; None gives an empty string. Without
    `as_of` the month is not named.
    """
    definition = METRICS[metric]
    name = definition.name[lang]
    if row is None:
        return ""
    if row["n"] < MIN_GROUP_SIZE:
        return say("words.few", lang, metric=name, n=f"{int(row['n']):,}")
    if text.is_missing(row["value"]):
        return f"{name}: {say('words.unknown', lang)}"
    value = text.number(row["value"], definition.unit, lang)
    when = say("words.when", lang, as_of=text.month(as_of, lang)) if as_of else ""
    facts = when + say("words.level", lang, metric=name, value=value)
    gap = row.get("change")
    if compare is None or gap is None or text.is_missing(gap):
        return facts
    before = say("words.last_month" if compare == "mom" else "words.last_year", lang)
    change = text.change(gap, definition.unit, definition.better, lang)
    if change.arrow == "▬":
        return facts + say("words.same", lang, before=before)
    return facts + say(
        "words.rose" if gap > 0 else "words.fell", lang, before=before, change=change.words[1:]
    )


def levels(selection: Selection, metrics: Sequence[str]) -> list[str]:
    """Return the fact of each metric that has an answer; only the first names the month."""
    facts: list[str] = []
    for metric in metrics:
        row, _ = queries.total_row(queries.question_for(selection, metric), selection.lang)
        if row is not None:
            facts.append(
                level(
                    metric,
                    row,
                    None if facts else selection.as_of,
                    selection.comparison,
                    selection.lang,
                )
            )
    return facts


def extreme(selection: Selection, metric: str, by: str, *, highest: bool = True) -> str:
    """Return the highest (or lowest) of the groups of at least MIN_GROUP_SIZE; else empty."""
    definition = METRICS[metric]
    lang = selection.lang
    try:
        answer = queries.ask(queries.question_for(selection, metric, (by,), compare=False))
    except UserError:
        return ""
    rows = answer[(answer["n"] >= MIN_GROUP_SIZE) & answer["value"].notna()]
    if len(rows) < 2:
        return ""
    row = rows.loc[rows["value"].idxmax() if highest else rows["value"].idxmin()]
    name = queries.labels(by, lang, selection.scheme).get(row[by], row[by])
    value = text.number(row["value"], definition.unit, lang)
    return say(
        "words.highest" if highest else "words.lowest",
        lang,
        metric=definition.name[lang],
        name=name,
        value=value,
    )


def best_and_worst(
    metric: str,
    answer: pd.DataFrame,
    by: str,
    names: Mapping[str, str],
    lang: str,
    *,
    within: str = "",
) -> str:
    """Return the highest and the lowest group, or that fewer than two are large enough."""
    definition = METRICS[metric]
    lead = f"{within} · " if within else ""
    rows = answer[(answer["n"] >= MIN_GROUP_SIZE) & answer["value"].notna()]
    if len(rows) < 2:
        return lead + say("words.no_groups", lang, metric=definition.name[lang])
    top = rows.loc[rows["value"].idxmax()]
    bottom = rows.loc[rows["value"].idxmin()]
    facts = {
        "metric": definition.name[lang],
        "top": names.get(top[by], top[by]),
        "high": text.number(top["value"], definition.unit, lang),
        "bottom": names.get(bottom[by], bottom[by]),
        "low": text.number(bottom["value"], definition.unit, lang),
    }
    return lead + say(
        "words.spread" if facts["high"] != facts["low"] else "words.level_all", lang, **facts
    )


def largest_share(selection: Selection, metric: str, by: str) -> str:
    """Return the group with the largest share of a sum; empty where there is no answer."""
    try:
        answer = queries.ask(queries.question_for(selection, metric, (by,), compare=False))
    except UserError:
        return ""
    if answer.empty or not answer["value"].sum():
        return ""
    lang = selection.lang
    top = answer.loc[answer["value"].idxmax()]
    share = float(top["value"] / answer["value"].sum())
    return say(
        "words.largest_share",
        lang,
        metric=METRICS[metric].name[lang],
        name=queries.labels(by, lang, selection.scheme).get(top[by], top[by]),
        share=text.number(share, "rate", lang),
    )


def largest_bucket(
    metric: str, answer: pd.DataFrame, whole: pd.Series, names: Mapping[str, str], lang: str
) -> str:
    """Return how much is overdue and which bucket of days holds most of it."""
    unit = METRICS[metric].unit
    name = METRICS[metric].name[lang]
    if answer.empty:
        return say("words.nothing_late", lang, metric=name)
    top = answer.loc[answer["value"].idxmax()]
    return say(
        "words.deepest",
        lang,
        metric=name,
        total=text.number(whole["value"], unit, lang),
        bucket=names[top["bucket"]],
        value=text.number(top["value"], unit, lang),
    )


def compare_leaders(
    both: tuple[str, str],
    answers: tuple[pd.DataFrame, pd.DataFrame],
    by: str,
    names: Mapping[str, str],
    lang: str,
) -> str:
    """Return which group leads by each of two sums, and which has a negative second sum."""
    first, second = (
        answer[answer["n"] >= MIN_GROUP_SIZE].set_index(by)["value"] for answer in answers
    )
    if first.empty or second.empty:
        return say("words.no_groups", lang, metric=METRICS[both[1]].name[lang])
    facts = {"first": METRICS[both[0]].name[lang], "second": METRICS[both[1]].name[lang]}
    facts |= {
        "top": names.get(first.idxmax(), first.idxmax()),
        "kept": names.get(second.idxmax(), second.idxmax()),
    }
    losing = [names.get(code, code) for code in second[second < 0].index]
    lead = say(
        "words.leads_both" if facts["top"] == facts["kept"] else "words.leads_each", lang, **facts
    )
    if not losing:
        return lead
    return lead + say(
        "words.losing", lang, second=facts["second"], names=text.listing(losing, lang)
    )


def trend_position(metric: str, answer: pd.DataFrame, lang: str) -> str:
    """Return the latest value between the highest and the lowest month.

    `answer` has as_of, value and n by month.
    """
    unit = METRICS[metric].unit
    name = METRICS[metric].name[lang]
    rows = answer[answer["value"].notna()]
    if len(rows) < 2:
        return f"{name}{say('words.colon', lang)} {say('words.unknown', lang)}"
    top = rows.loc[rows["value"].idxmax()]
    bottom = rows.loc[rows["value"].idxmin()]
    last = rows.iloc[-1]
    facts = {
        "high": text.number(top["value"], unit, lang),
        "when_high": text.month(top["as_of"], lang),
        "low": text.number(bottom["value"], unit, lang),
        "when_low": text.month(bottom["as_of"], lang),
        "now": text.number(last["value"], unit, lang),
        "months": str(len(rows)),
        "metric": name,
    }
    return say("words.path", lang, **facts)


def largest_mover(
    metric: str | Metric, answer: pd.DataFrame, by: str, names: Mapping[str, str], lang: str
) -> str:
    """Return which group changed most between the first and the last month of an answer."""
    definition = METRICS[metric] if isinstance(metric, str) else metric
    first = answer["as_of"].min()
    last = answer["as_of"].max()
    ends = [
        answer[(answer["as_of"] == day) & (answer["n"] >= MIN_GROUP_SIZE)].set_index(by)["value"]
        for day in (first, last)
    ]
    changes = (ends[1] - ends[0]).dropna()
    if changes.empty:
        return say("words.no_groups", lang, metric=definition.name[lang])
    code = changes.abs().idxmax()
    change = text.change(changes[code], definition.unit, definition.better, lang)
    return say(
        "words.way",
        lang,
        since=text.month(first, lang),
        metric=definition.name[lang],
        name=names.get(code, code),
        change=change.words,
        value=text.number(ends[1][code], definition.unit, lang),
    )


def join_facts(parts: Sequence[str], lang: str) -> str:
    """Join facts into one sentence; empty ones are left out."""
    facts = [part for part in parts if part]
    if not facts:
        return ""
    return say("words.pause", lang).join(facts) + say("words.stop", lang)
