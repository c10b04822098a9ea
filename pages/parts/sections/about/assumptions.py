"""The assumptions, targets and red lines in force."""

from __future__ import annotations

from datetime import date

from analytics import rulebooks
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.assumptions import assumptions
from analytics.metrics.definitions import METRICS
from pages.parts.state import queries, reports
from pages.parts.state.selection import Selection
from pages.parts.widgets import rulebook_tables, tables
from pages.parts.widgets.text import caption, section_title


def values_in_force(as_of: date, lang: str) -> list[tuple[str, str]]:
    """Return (name, value) of the assumptions in force at the month end."""
    edition = assumptions(as_of)
    values = edition.parameters()
    rates = ("deposit_margin", "funding_rate", "lgd_secured", "lgd_unsecured")
    costs = ("operating_cost_loan", "operating_cost_deposit")
    lines = [
        (say(f"assumed.{name}", lang), text.number(values[name], "rate", lang)) for name in rates
    ]
    lines += [
        (
            say(f"assumed.{name}", lang, currency=queries.currency_unit(lang)),
            text.exact(values[name], "money", lang),
        )
        for name in costs
    ]
    five = rulebooks.read_schemes()["loan_five"]
    lines += [
        (
            say("assumed.pd", lang, name=five.class_names(code)[lang]),
            text.number(rate, "rate", lang),
        )
        for code, rate in edition.pd.items()
    ]
    return lines


def show(selection: Selection) -> None:
    """Draw the assumptions with their effective date and who approved them."""
    lang = selection.lang
    as_of = date.fromisoformat(selection.as_of)
    edition = assumptions(as_of)
    since = say(
        "assumed.since",
        lang,
        day=text.day(edition.effective_on, lang),
        by=edition.approved_by[lang],
    )
    tables.pairs(say("assumed.title", lang), values_in_force(as_of, lang), since)


def targets(selection: Selection) -> None:
    """Draw the targets and red lines in force for the selected branch, each with its source."""
    lang = selection.lang
    targets = queries.targets_of(selection)
    section_title(say("assumed.marks" if targets else "assumed.no_marks", lang, count=len(targets)))
    rows = [
        (
            METRICS[id].name[lang],
            text.number(mark.target, METRICS[id].unit, lang),
            text.number(mark.red_line, METRICS[id].unit, lang),
            mark.document[lang] if mark.document else say("assumed.own", lang),
        )
        for id, mark in sorted(targets.items(), key=lambda entry: list(METRICS).index(entry[0]))
    ]
    if rows:
        heads = [
            say(f"assumed.{head}", lang) for head in ("metric", "target", "red_line", "stands_in")
        ]
        rulebook_tables.table(heads, rows, right=(1, 2))
    unknown = reports.unknown_targets()
    if unknown:
        caption(say("assumed.unknown", lang, codes=text.listing(unknown, lang)))
