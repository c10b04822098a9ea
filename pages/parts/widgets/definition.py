"""The definition of a number: meaning, numerator and denominator, n, and the SQL."""

from __future__ import annotations

import html

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from analytics.metrics.question import Question
from pages.parts.state import queries


def popover(question: Question, lang: str, key: str) -> None:
    """Draw a button that opens the definition with the value of the whole."""
    box = st.popover(
        say("definition.button", lang),
        type="tertiary",
        key=f"define_{key}_{lang}",
        on_change="rerun",
    )
    if box.open:
        with box:
            _content(question, lang)


def facts(question: Question, answer: pd.DataFrame, lang: str) -> list[tuple[str, str]]:
    """Return (label, words) of a definition; of a one-row answer with numerator and denominator."""
    metric = METRICS[question.metric]
    lines = [(say("definition.meaning", lang), metric.meaning[lang])]
    if metric.formula != metric.meaning:
        lines.append((say("definition.formula", lang), metric.formula[lang]))
    lines += [
        (say("definition.better", lang), say(f"definition.better_{metric.better}", lang)),
        (say("definition.owner", lang), say(f"owner.{metric.owner}", lang)),
    ]
    if len(answer) == 1:
        row = answer.iloc[0]
        unit = metric.measure
        lines += [
            (say("definition.numerator", lang), text.exact(row["numerator"], unit, lang)),
            (say("definition.denominator", lang), text.exact(row["denominator"], unit, lang)),
            (say("definition.value", lang), text.exact(row["value"], metric.unit, lang)),
            (say("definition.n", lang), f"{int(row['n']):,}"),
        ]
    return lines


def _content(question: Question, lang: str) -> None:
    whole = question.with_changes(by=(), last=1, compare=None)
    name = METRICS[question.metric].name[lang]
    lines = facts(whole, queries.ask(whole), lang)
    rows = "".join(
        f"<tr><td>{html.escape(label)}</td><td>{html.escape(words)}</td></tr>"
        for label, words in lines
    )
    st.html(
        f'<div class="lp-define"><p class="lp-message">{html.escape(name)}</p>'
        f"<table>{rows}</table>"
        f"<p class='lp-note'>{html.escape(say('definition.sql', lang))}</p></div>"
    )
    st.code(queries.sql(question), language="sql", wrap_lines=True)
