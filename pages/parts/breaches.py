"""A compliance list in words: headers, codes, and what a download says about itself."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from analytics import exports, text
from analytics.rulebooks.service import ServiceRule
from analytics.text import say
from pages.parts import bank, drill, header, rules
from pages.parts.choice import Choice

_UNITS = {"bool": "text", "code": "text", "int": "count", "money": "money", "rate": "rate", "number": "number"}


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
