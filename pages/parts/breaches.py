"""The compliance lists in words: the board of all rules, the columns of one list, what a download says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pandas as pd
import streamlit as st

from analytics import compliance, exports, text
from analytics.rulebooks.service import ServiceRule
from analytics.text import say
from pages.parts import bank, drill, header, rulebank, rules
from pages.parts.choice import Choice

MONTHS = 12
_HEADS = ("rule", "clause", "looked_at", "breaches", "trend", "share", "undecided", "amount")
_UNITS = {"bool": "text", "code": "text", "int": "count", "money": "money", "rate": "rate", "number": "number"}


@st.fragment(parallel=True)
def board(here: Choice, counts: pd.DataFrame) -> None:
    """Every rule with what `counts` found; its line of months is drawn when the months before are counted as well."""
    spot = st.empty()
    with spot:
        _board(here, counts, counts)
    over = rulebank.trend(here.as_of, MONTHS)
    with spot:
        _board(here, counts, over)


def _board(here: Choice, counts: pd.DataFrame, over: pd.DataFrame) -> None:
    lang, known = here.lang, compliance.rules(date.fromisoformat(here.as_of))
    names = {rule.id: rule.names[rules.short(lang)] for rule in known.values()}
    rules.table(
        [say(f"compliance.{head}", lang, months=MONTHS) for head in _HEADS],
        [
            (
                names[row.rule], known[row.rule].clause, f"{row.looked_at:,}", f"{row.breaches:,}",
                rules.sparkline(over.loc[over["rule"] == row.rule, "breaches"].tolist(), names[row.rule], lang),
                text.number(row.share, "rate", lang), f"{row.undecided:,}", text.number(row.amount, "money", lang),
            )
            for row in counts.itertuples()
        ],
        right=(2, 3, 4, 5, 6, 7), tight=(1,),
    )  # fmt: skip


def facts_of(rule: ServiceRule) -> dict:
    """Name → the fact, for everything that a rule asks."""
    return {leaf.fact.name: leaf.fact for part in (rule.applies, rule.breach) for leaf in part.leaves()}


def columns(rule: ServiceRule, frame: pd.DataFrame, lang: str) -> dict[str, exports.Column]:
    """Header and unit of every column of the list."""
    facts, known = facts_of(rule), drill.columns(frame.drop(columns=list(facts_of(rule))), lang)
    return known | {
        name: exports.Column(
            fact.words(rules.short(lang)), "rate" if name.endswith("_ratio") else _UNITS[fact.type]
        )
        for name, fact in facts.items()
    }


def aligned(columns: Mapping[str, exports.Column]) -> dict:
    """The settings of the list: numbers stand to the right."""
    return {
        column.header: st.column_config.Column(alignment="right")
        for column in columns.values() if column.unit not in ("text", "date")
    }  # fmt: skip


def worded(rule: ServiceRule, frame: pd.DataFrame, here: Choice) -> pd.DataFrame:
    """The list with words in place of codes."""
    facts, short = facts_of(rule), rules.short(here.lang)
    told = {}
    for name, fact in facts.items():
        if fact.type == "bool":
            told[name] = [rules.yes_no(value, here.lang) for value in frame[name]]
        elif fact.type == "code":
            told[name] = [fact.value_words(value, short) for value in frame[name]]
    return drill.worded(frame, here).assign(**told)


def notes(rule: ServiceRule, here: Choice) -> list[tuple[str, str]]:
    """What a download says: the rule, its clause and words, month, edition."""
    lang, short, edition = here.lang, rules.short(here.lang), bank.bank().edition
    return [
        (say("compliance.rule", lang), f"{rule.names[short]} ({rule.id})"),
        (say("rules.clause", lang), f"{rule.document[short]} {rule.clause}"),
        (
            say("export.definition", lang),
            f"{rule.applies.words(short)} | {rule.breach.words(short)} | {rule.note[short]}",
        ),
        (say("export.as_of", lang), here.as_of),
        (say("export.filters", lang), say(f"{'compliance' if header.chips(here) else 'export'}.no_filters", lang)),
        (say("export.edition", lang), f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}"),
    ]
