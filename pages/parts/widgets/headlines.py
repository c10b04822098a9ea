"""The sentences above a page. They only write down computed facts; what was not computed is not said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, Metric
from analytics.metrics.query import shares
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection


def level(
    metric: str, row: Mapping | pd.Series | None, as_of: str | None, compare: str | None, lang: str
) -> str:
    """One fact: 2026年10月，逾期率为 3.21%，较上月上升 0.15 百分点.

    `row` is a one-row answer, with `compare` it holds a change; without `as_of` the month is left to the fact before.
    Nothing is said about a metric that could not be answered (`row` is None).
    """
    declared = METRICS[metric]
    name = declared.name[lang]
    if row is None:
        return ""
    if row["n"] < MIN_GROUP_SIZE:
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
    return said + say(
        "words.rose" if gap > 0 else "words.fell", lang, before=before, change=moved.words[1:]
    )


def levels(selection: Selection, metrics: Sequence[str]) -> list[str]:
    """The fact of each metric that can be answered, the month said once."""
    said: list[str] = []
    for metric in metrics:
        row, _ = queries.total_row(queries.question_for(selection, metric), selection.lang)
        if row is not None:
            said.append(
                level(
                    metric,
                    row,
                    None if said else selection.as_of,
                    selection.comparison,
                    selection.lang,
                )
            )
    return said


def extreme(selection: Selection, metric: str, by: str, *, highest: bool = True) -> str:
    """Who stands highest (or lowest) among the groups of at least 30; empty when there is none to name."""
    declared, lang = METRICS[metric], selection.lang
    try:
        answer = queries.ask(queries.question_for(selection, metric, (by,), compare=False))
    except UserError:
        return ""
    rows = answer[(answer["n"] >= MIN_GROUP_SIZE) & answer["value"].notna()]
    if len(rows) < 2:
        return ""
    row = rows.loc[rows["value"].idxmax() if highest else rows["value"].idxmin()]
    name = queries.labels(by, lang, selection.scheme).get(row[by], row[by])
    value = text.number(row["value"], declared.unit, lang)
    return say(
        "words.highest" if highest else "words.lowest",
        lang,
        metric=declared.name[lang],
        name=name,
        value=value,
    )


def spread(
    metric: str,
    answer: pd.DataFrame,
    by: str,
    names: Mapping[str, str],
    lang: str,
    *,
    within: str = "",
) -> str:
    """Highest and lowest among the groups of at least 30 with a value; says so when there are not two to compare."""
    declared = METRICS[metric]
    lead = f"{within} · " if within else ""
    rows = answer[(answer["n"] >= MIN_GROUP_SIZE) & answer["value"].notna()]
    if len(rows) < 2:
        return lead + say("words.no_groups", lang, metric=declared.name[lang])
    top, bottom = rows.loc[rows["value"].idxmax()], rows.loc[rows["value"].idxmin()]
    said = {
        "metric": declared.name[lang],
        "top": names.get(top[by], top[by]),
        "high": text.number(top["value"], declared.unit, lang),
        "bottom": names.get(bottom[by], bottom[by]),
        "low": text.number(bottom["value"], declared.unit, lang),
    }
    return lead + say(
        "words.spread" if said["high"] != said["low"] else "words.level_all", lang, **said
    )


def largest_share(selection: Selection, metric: str, by: str) -> str:
    """Which group holds most of a sum, and its share; empty where that cannot be asked."""
    try:
        answer = queries.ask(queries.question_for(selection, metric, (by,), compare=False))
    except UserError:
        return ""
    if answer.empty or not answer["value"].sum():
        return ""
    place = answer["value"].idxmax()
    share = shares(answer["value"], answer["value"].sum())[answer.index.get_loc(place)]
    name = queries.labels(by, selection.lang, selection.scheme).get(
        answer.loc[place, by], answer.loc[place, by]
    )
    said = {
        "metric": METRICS[metric].name[selection.lang],
        "name": name,
        "share": text.number(share, "rate", selection.lang),
    }
    return say("words.largest_share", selection.lang, **said)


def largest_bucket(
    metric: str, answer: pd.DataFrame, whole: pd.Series, names: Mapping[str, str], lang: str
) -> str:
    """How much is late at all, and which bucket of days holds most of it."""
    unit, name = METRICS[metric].unit, METRICS[metric].name[lang]
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
    """Which group leads by either of two sums, and which loses money by the second."""
    first, second = (
        answer[answer["n"] >= MIN_GROUP_SIZE].set_index(by)["value"] for answer in answers
    )
    if first.empty or second.empty:
        return say("words.no_groups", lang, metric=METRICS[both[1]].name[lang])
    said = {"first": METRICS[both[0]].name[lang], "second": METRICS[both[1]].name[lang]}
    said |= {
        "top": names.get(first.idxmax(), first.idxmax()),
        "kept": names.get(second.idxmax(), second.idxmax()),
    }
    losing = [names.get(code, code) for code in second[second < 0].index]
    lead = say(
        "words.leads_both" if said["top"] == said["kept"] else "words.leads_each", lang, **said
    )
    if not losing:
        return lead
    return lead + say("words.losing", lang, second=said["second"], names=text.listing(losing, lang))


def trend_position(metric: str, answer: pd.DataFrame, lang: str) -> str:
    """Where a metric stands between its highest and its lowest month; `answer` holds as_of, value and n by month."""
    unit, name = METRICS[metric].unit, METRICS[metric].name[lang]
    rows = answer[answer["value"].notna()]
    if len(rows) < 2:
        return f"{name}{say('words.colon', lang)} {say('words.unknown', lang)}"
    top, bottom, last = (
        rows.loc[rows["value"].idxmax()],
        rows.loc[rows["value"].idxmin()],
        rows.iloc[-1],
    )
    said = {
        "high": text.number(top["value"], unit, lang),
        "when_high": text.month(top["as_of"], lang),
        "low": text.number(bottom["value"], unit, lang),
        "when_low": text.month(bottom["as_of"], lang),
        "now": text.number(last["value"], unit, lang),
        "months": str(len(rows)),
        "metric": name,
    }
    return say("words.path", lang, **said)


def largest_mover(
    metric: str | Metric, answer: pd.DataFrame, by: str, names: Mapping[str, str], lang: str
) -> str:
    """Which group moved most between the first and the last month of an answer over months, groups of 30 and more."""
    declared = METRICS[metric] if isinstance(metric, str) else metric
    first, last = answer["as_of"].min(), answer["as_of"].max()
    ends = [
        answer[(answer["as_of"] == day) & (answer["n"] >= MIN_GROUP_SIZE)].set_index(by)["value"]
        for day in (first, last)
    ]
    moved = (ends[1] - ends[0]).dropna()
    if moved.empty:
        return say("words.no_groups", lang, metric=declared.name[lang])
    code = moved.abs().idxmax()
    change = text.change(moved[code], declared.unit, declared.better, lang)
    return say(
        "words.way",
        lang,
        since=text.month(first, lang),
        metric=declared.name[lang],
        name=names.get(code, code),
        change=change.words,
        value=text.number(ends[1][code], declared.unit, lang),
    )


def join_facts(parts: list[str], lang: str) -> str:
    """Facts joined into one sentence; empty ones are left out."""
    said = [part for part in parts if part]
    return say("words.pause", lang).join(said) + say("words.stop", lang) if said else ""
