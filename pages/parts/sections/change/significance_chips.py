"""The change in one sentence, and the significance of each part's change as chips."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import attribution, narrative, significance
from analytics.analysis.significance import SignificanceResult
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, Metric
from analytics.metrics.question import Question
from analytics.presentation.theme import Theme, theme_for
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets.theme import is_dark

MAX_CHIPS = 30
SIGNIFICANT = ("rise", "fall")


@st.fragment(parallel=True)
def show(
    selection: Selection,
    question: Question,
    before: date,
    *,
    with_sentence: bool = False,
    significant_only: bool = False,
) -> None:
    """Draw the verdict of each part and of the whole, in a fragment of its own: it takes time.

    Parameters
    ----------
    with_sentence
        Draw the change in one sentence above; it is there before the verdicts are.
    significant_only
        Draw only the parts that changed significantly, and not the whole, which the sentence names.
    """
    lang = selection.lang
    top = st.empty()
    spot = st.empty()
    if with_sentence:
        top.html(_sentence_html(selection, question, before))
    with spot:
        st.skeleton(height=72)
    try:
        result = queries.cached_analysis(significance.assess_change, question, before)
    except UserError as refusal:
        spot.html(f'<p class="lp-note">{html.escape(refusal.text(lang))}</p>')
        return
    if with_sentence:
        top.html(_sentence_html(selection, question, before, result))
    chips = _chips(selection, question, result, significant_only)
    how = say(
        "changes.how",
        lang,
        draws=f"{result.draws:,}",
        drawn=f"{result.sample_size:,}",
        customers=f"{result.customers:,}",
    )
    spot.html(f'<p class="lp-chips">{"".join(chips)}</p><p class="lp-note">{html.escape(how)}</p>')


def _chips(
    selection: Selection, question: Question, result: SignificanceResult, significant_only: bool
) -> list[str]:
    """Return the chips as HTML: the whole first, then the parts in printing order."""
    lang = selection.lang
    dimension = question.by[0]
    metric = METRICS[question.metric]
    tone = theme_for(is_dark())
    names = queries.labels(dimension, lang, selection.scheme)
    order = {code: place for place, code in enumerate(names)}
    rows = sorted(
        result.parts.to_dict("records"), key=lambda row: order.get(row[dimension], len(order))
    )
    if significant_only:
        rows = [row for row in rows if row["verdict"] in SIGNIFICANT]
        if not rows:
            quiet = html.escape(say("changes.quiet", lang))
            return [f'<span class="lp-note">{quiet}</span>']
        chips = []
    else:
        chips = [_chip(say("table.total", lang), result.whole, metric, tone, lang)]
    for row in rows[:MAX_CHIPS]:
        name = names.get(row[dimension], row[dimension])
        chips.append(_chip(name, row, metric, tone, lang))
    return chips


def _sentence_html(
    selection: Selection,
    question: Question,
    before: date,
    result: SignificanceResult | None = None,
) -> str:
    context = narrative.context(queries.warehouse().edition, question, selection.lang)
    sentence = html.escape(sentence_of(selection, question, before, result))
    return f'<p class="lp-lead">{sentence}</p><p class="lp-note">{html.escape(context)}</p>'


def _chip(
    name: str, row: Mapping[Any, Any] | pd.Series, metric: Metric, tone: Theme, lang: str
) -> str:
    verdict = row["verdict"]
    change = text.change(row["change"], metric.unit, metric.better, lang)
    colour = tone.verdict_colour(change.verdict) if verdict in SIGNIFICANT else tone.grey
    hint = html.escape(_intervals(row, metric, lang), quote=True)
    word = html.escape(say(f"verdict.{verdict}", lang))
    size = "" if verdict == "few" else f" {change}"
    return (
        f'<span class="lp-chip" title="{hint}" '
        f'style="border-color:{colour}">{html.escape(name)} '
        f'<b style="color:{colour}">{word}</b>{html.escape(size)}</span>'
    )


def _intervals(row: Mapping[Any, Any] | pd.Series, metric: Metric, lang: str) -> str:
    """Return the intervals of the change and of the value, one a line, where they are known."""
    lines = []
    if not text.is_missing(row["low"]):
        low, high = (
            text.change(row[end], metric.unit, metric.better, lang).words for end in ("low", "high")
        )
        lines.append(say("changes.interval", lang, low=low, high=high))
    if not text.is_missing(row["value_low"]):
        low, high = (text.number(row[f"value_{end}"], metric.unit, lang) for end in ("low", "high"))
        lines.append(say("changes.wilson", lang, low=low, high=high))
    return "\n".join(lines)


def sentence_of(
    selection: Selection,
    question: Question,
    before: date,
    result: SignificanceResult | None = None,
) -> str:
    """Return the change in one sentence, or that it is not known."""
    lang = selection.lang
    names = queries.labels(question.by[0], lang, selection.scheme)
    by_first = question.with_changes(by=question.by[:1])
    try:
        bridge = queries.cached_analysis(attribution.bridge, by_first, before)
    except UserError:
        row, _ = queries.total_row(question.with_changes(by=()), lang)
        if row is None:
            name = METRICS[question.metric].name[lang]
            return name + say("words.colon", lang) + say("words.unknown", lang)
        return narrative.level_only(row, question, before, lang)
    return narrative.compose(bridge, result, names, lang)
