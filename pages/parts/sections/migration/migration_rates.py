"""The five regulatory migration rates, and stock roll rates over twelve months."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from itertools import pairwise
from typing import Any

import pandas as pd

from analytics.analysis import migration
from analytics.analysis.roll_rates import stock_roll_rates
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.buckets import bucket_sets
from analytics.metrics.question import Question
from pages.parts.sections.migration import drill_table
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards
from pages.parts.widgets.text import caption, mark_small_group, section_title


def regulatory_rate_board(selection: Selection, question: Question, before: date) -> None:
    """Draw the five regulatory migration rates with numerator and denominator."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        rates = queries.cached_analysis(migration.five_category_rates, question, before)
        value = text.number(rates.iloc[0]["value"], "rate", lang)
        section_title(
            say("migration.rates_title", lang, value=value, before=text.month(before, lang))
        )
        columns = ("rate", "value", "moved_down", "net", "opening", "decrease")
        heads = [say(f"migration.{name}", lang) for name in columns]
        frame = pd.DataFrame(
            [_rate_row(row, lang) for row in rates.to_dict("records")], columns=[*heads, "n"]
        )
        drill_table.show(
            selection, frame, heads[0], "rates", lambda row, _: {"rate": migration.RATES[row]}
        )
        caption(say("migration.rates_note", lang), say("migration.rates_click", lang))


def _rate_row(row: dict[Hashable, Any], lang: str) -> tuple[str, ...]:
    """Return name, rate, the four amounts (CNY) that it is made of, and n."""
    rate = text.number(row["value"], "rate", lang)
    amounts = [
        text.number(row[column], "money", lang)
        for column in ("numerator", "denominator", "opening", "decrease")
    ]
    name = say(f"migration.rate_{row['rate']}", lang)
    return (name, mark_small_group(rate, row["n"], lang), *amounts, f"{row['n']:,}")


def roll_rate_board(selection: Selection, question: Question, buckets: str) -> None:
    """Draw stock roll rates over twelve months, where the buckets are a month wide."""
    lang = selection.lang
    bucket_set = bucket_sets()[buckets]
    if not bucket_set.monthly:
        return
    with boards.guarded_section(selection, "loans"):
        rolls = queries.cached_analysis(stock_roll_rates, question, 12, buckets)
        names = bucket_set.labels(lang)
        steps = {a: f"{names[a]} → {names[b]}" for a, b in pairwise(bucket_set.codes[:-1])}
        latest = rolls[rolls["as_of"] == rolls["as_of"].max()].set_index("bucket")
        first = bucket_set.codes[0]
        value = text.number(latest["value"].get(first), "rate", lang)
        section_title(say("migration.roll_title", lang, step=steps[first], value=value))
        wide = rolls.pivot(index="bucket", columns="as_of", values="value").reindex(list(steps))
        head = say("migration.step", lang)
        frame = pd.DataFrame({head: list(steps.values())})
        for month in wide.columns:
            frame[text.month(month, lang, short=True)] = [
                text.number(value, "rate", lang) for value in wide[month]
            ]
        counts = latest["n"].reindex(list(steps)).fillna(0)
        frame["n"] = [mark_small_group(f"{int(n):,}", n, lang) for n in counts]
        drill_table.show(selection, frame, head)
        caption(say("migration.roll_note", lang))
