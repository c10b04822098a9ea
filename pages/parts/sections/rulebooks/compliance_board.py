"""The compliance page: the board of all rules, the columns of one list, notes of the export."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from analytics.grading import compliance
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import export
from analytics.rulebooks.facts import Fact
from analytics.rulebooks.service_rules import ServiceRule
from pages.parts.state import rulebook_queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import Selection
from pages.parts.widgets import list_table, rulebook_tables

MONTHS = 12
_HEADS = ("rule", "clause", "looked_at", "breaches", "trend", "share", "undecided", "amount")
_UNITS = {
    "bool": "text",
    "code": "text",
    "int": "count",
    "money": "money",
    "rate": "rate",
    "number": "number",
}


@st.fragment(parallel=True)
def board(selection: Selection, counts: pd.DataFrame) -> None:
    """Draw every rule with its `counts`; the trend is drawn once the earlier months are counted."""
    spot = st.empty()
    with spot:
        _board(selection, counts, counts)
    over = rulebook_queries.trend(selection.as_of, MONTHS)
    with spot:
        _board(selection, counts, over)


def _board(selection: Selection, counts: pd.DataFrame, over: pd.DataFrame) -> None:
    lang = selection.lang
    rules = compliance.rules_in_force(date.fromisoformat(selection.as_of))
    names = {rule.id: rule.names[lang] for rule in rules.values()}
    rulebook_tables.table(
        [say(f"compliance.{head}", lang, months=MONTHS) for head in _HEADS],
        [
            (
                names[row["rule"]],
                rules[row["rule"]].clause,
                f"{row['looked_at']:,}",
                f"{row['breaches']:,}",
                rulebook_tables.sparkline(
                    over.loc[over["rule"] == row["rule"], "breaches"].tolist(),
                    names[row["rule"]],
                    lang,
                ),
                text.number(row["share"], "rate", lang),
                f"{row['undecided']:,}",
                text.number(row["amount"], "money", lang),
            )
            for row in counts.to_dict("records")
        ],
        right=(2, 3, 4, 5, 6, 7),
        tight=(1,),
    )


def facts_of(rule: ServiceRule) -> dict[str, Fact]:
    """Return name → fact of everything that a rule reads."""
    return {
        leaf.fact.name: leaf.fact for part in (rule.applies, rule.breach) for leaf in part.leaves()
    }


def columns(rule: ServiceRule, frame: pd.DataFrame, lang: str) -> dict[str, export.ExportColumn]:
    """Return header and unit of every column of the list."""
    facts = facts_of(rule)
    other_columns = list_table.export_columns(frame.drop(columns=list(facts)), lang)
    return other_columns | {
        name: export.ExportColumn(
            fact.words(lang),
            "rate" if name.endswith("_ratio") else _UNITS[fact.type],
        )
        for name, fact in facts.items()
    }


def with_labels(rule: ServiceRule, frame: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return the list with words in place of codes."""
    facts = facts_of(rule)
    labels = {}
    for name, fact in facts.items():
        if fact.type == "bool":
            labels[name] = [rulebook_tables.yes_no(value, selection.lang) for value in frame[name]]
        elif fact.type == "code":
            labels[name] = [fact.value_words(value, selection.lang) for value in frame[name]]
    return list_table.with_labels(frame, selection).assign(**labels)


def export_notes(rule: ServiceRule, selection: Selection) -> list[tuple[str, str]]:
    """Return the notes of an export: the rule, its clause and words, month, edition."""
    lang = selection.lang
    no_filters = "compliance.no_filters" if applied_filters(selection) else "export.no_filters"
    return [
        (say("compliance.rule", lang), f"{rule.names[lang]} ({rule.id})"),
        (say("rules.clause", lang), f"{rule.document[lang]} {rule.clause}"),
        (
            say("export.definition", lang),
            f"{rule.applies.words(lang)} | {rule.breach.words(lang)} | {rule.note[lang]}",
        ),
        (say("export.as_of", lang), selection.as_of),
        (say("export.filters", lang), say(no_filters, lang)),
        list_table.edition_note(lang),
    ]
