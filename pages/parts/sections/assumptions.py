"""The assumptions in force, printed where they bear on a figure."""

from __future__ import annotations

from datetime import date

from analytics import rulebooks
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.assumptions import assumptions
from analytics.metrics.definitions import METRICS
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, metric_table, rulebook_tables


def rows(as_of: date, lang: str) -> list[tuple[str, str]]:
    """(what, value) of the edition of data/assumptions.toml in force at the month end."""
    told = assumptions(as_of)
    rates = ("deposit_margin", "funding_rate", "lgd_secured", "lgd_unsecured")
    costs = ("operating_cost_loan", "operating_cost_deposit")
    found = [
        (say(f"assumed.{name}", lang), text.number(told[name], "rate", lang)) for name in rates
    ]
    found += [
        (say(f"assumed.{name}", lang), text.exact(told[name], "money", lang)) for name in costs
    ]
    five = rulebooks.read()["loan_five"]
    found += [
        (
            say("assumed.pd", lang, name=five.class_names(code)["zh" if lang == "zh-CN" else "en"]),
            text.number(rate, "rate", lang),
        )
        for code, rate in told["pd"].items()
    ]
    return found


def show(selection: Selection) -> None:
    """A quiet table with its edition and who approved it."""
    lang, as_of = selection.lang, date.fromisoformat(selection.as_of)
    told = assumptions(as_of)
    since = say(
        "assumed.since",
        lang,
        day=text.day(told["effective_on"], lang),
        by=told["approved_by"][lang],
    )
    metric_table.pairs(say("assumed.title", lang), rows(as_of, lang), since)


def marks(selection: Selection) -> None:
    """The targets and red lines in force at the month end for the place that is looked at, and where each stands."""
    lang, found = selection.lang, queries.targets_of(selection)
    boards.section_title(
        say("assumed.marks" if found else "assumed.no_marks", lang, count=len(found))
    )
    rows = [
        (
            METRICS[id].name[lang],
            text.number(mark.target, METRICS[id].unit, lang),
            text.number(mark.red_line, METRICS[id].unit, lang),
            mark.document[lang] if mark.document else say("assumed.own", lang),
        )
        for id, mark in sorted(found.items(), key=lambda entry: list(METRICS).index(entry[0]))
    ]
    if rows:
        heads = [
            say(f"assumed.{head}", lang) for head in ("metric", "target", "red_line", "stands_in")
        ]
        rulebook_tables.table(heads, rows, right=(1, 2))
    lost = queries.unknown_targets()
    if lost:
        boards.caption(say("assumed.unknown", lang, codes=text.listing(lost, lang)))
