"""The forecast of the book in three and six months, with the backtest of its error."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analytics.analysis import forecast
from analytics.analysis.forecast import Forecast
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.buckets import bucket_sets
from analytics.metrics.question import Question
from analytics.presentation import forecast_charts
from pages.parts.sections.migration import drill_table
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark

BUCKETS = "standard"


def show(selection: Selection, question: Question, by: str, measure: str) -> None:
    """Draw the forecast shares in three and six months with bands, and the backtest.

    `by` is "class" or "bucket", `measure` "n" or "balance".
    """
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        result = queries.cached_analysis(forecast.forecast, question, by, measure, BUCKETS)
        if by == "bucket":
            names = bucket_sets()[BUCKETS].labels(lang)
        else:
            names = queries.labels("class", lang, question.scheme)
        not_first = result.ahead[result.ahead["state"] != bucket_sets()[BUCKETS].codes[0]]
        chart.show(
            selection,
            chart.Chart(
                "ahead",
                _title(result, names, lang),
                figure=forecast_charts.ahead(
                    not_first, names, forecast.HORIZONS, lang, dark=is_dark()
                ),
                answer=result.ahead,
                question=question.with_changes(result.unit),
                draw_table=lambda: _table(selection, result, names),
            ),
        )
        for test in result.tests.to_dict("records"):
            caption(_backtest(test, lang))
        caption(
            say("migration.ahead_note", lang, months=result.months),
            say("overdue.buckets", lang) if by == "bucket" else "",
        )


def _title(result: Forecast, names: Mapping[str, str], lang: str) -> str:
    """Return the largest change of a share at the longest horizon."""
    far = result.ahead[result.ahead["horizon"] == forecast.HORIZONS[-1]]
    far = far.assign(gap=far["share"] - far["share_now"])
    top = far.loc[far["gap"].abs().idxmax()]
    return say(
        "migration.ahead_title",
        lang,
        months=int(top["horizon"]),
        name=names[top["state"]],
        change=text.change(top["gap"], "rate", "neither", lang).words,
        value=text.number(top["share"], "rate", lang),
    )


def _backtest(test: Mapping[Hashable, Any], lang: str) -> str:
    """Return the mean absolute error beside that of no change, or that there is no test."""
    if not test["forecasts"]:
        return say("migration.untested", lang, months=test["horizon"])
    facts = {"months": test["horizon"], "count": test["forecasts"]}
    for name in ("error", "error_naive"):
        facts[name] = text.change(test[name], "rate", "neither", lang).words[1:]
    return say("migration.beats" if test["beats"] else "migration.fails", lang, **facts)


def _table(selection: Selection, result: Forecast, names: Mapping[str, str]) -> None:
    lang = selection.lang
    columns = ("state", "now", "then", "share", "band", "amount")
    heads = [say(f"migration.{name}", lang) for name in columns]
    unit = "money" if result.measure == "balance" else "count"
    rows = [
        (
            names[row["state"]],
            text.number(row["share_now"], "rate", lang),
            text.month(row["as_of"], lang),
            text.number(row["share"], "rate", lang),
            _band(row, lang),
            text.number(row["amount"], unit, lang),
        )
        for row in result.ahead.to_dict("records")
    ]
    drill_table.show(selection, pd.DataFrame(rows, columns=heads), heads[0])


def _band(row: Mapping[Hashable, Any], lang: str) -> str:
    low = text.number(row["low"], "rate", lang)
    return f"{low} – {text.number(row['high'], 'rate', lang)}"
