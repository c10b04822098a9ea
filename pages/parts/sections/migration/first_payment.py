"""First-payment default by quarter of origination, or by the parts of one year."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

from analytics.analysis import cohorts
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE
from analytics.metrics.question import Question
from pages.parts.sections.migration import drill_table
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, move_drilldown
from pages.parts.widgets.text import caption, mark_small_group, section_title

# Column of the table → the code of the list behind it (URL parameter `moved`, key `judged`).
_ASSESSED_OF_COLUMN = {1: "missed", 2: "missed", 3: "yes"}


def show(selection: Selection, question: Question, cohort: str) -> None:
    """Draw first-payment default by quarter of origination.

    With a dimension: by part, of the loans originated in the year `cohort` (its first day as an ISO
    date; the newest year where it is empty).
    """
    lang = selection.lang
    metric = METRICS["first_payment_default"]
    with boards.guarded_section(selection, metric.id):
        period = "year" if question.by else "quarter"
        defaults = queries.cached_analysis(cohorts.first_payment, question, period)
        if question.by:
            year = cohort or str(defaults["cohort"].max())[:10]
            defaults = defaults[defaults["cohort"].astype(str).str[:10] == year]
            labels = queries.labels(question.by[0], lang, selection.scheme)
            names = [labels.get(code, code) for code in defaults["part"]]
            title = say("migration.first_split", lang, cohort=year[:4])
        else:
            days = [str(day)[:10] for day in defaults["cohort"]]
            names = [move_drilldown.period_name(day, "quarter") for day in days]
            title = say("migration.first_title", lang)
        defaults = defaults.assign(name=names).reset_index(drop=True)
        section_title(_with_worst(title, defaults, lang))
        _table(selection, question, defaults)
        caption(say("migration.first_note", lang))


def _with_worst(title: str, defaults: pd.DataFrame, lang: str) -> str:
    """Return the title with the highest rate of a group that is large enough, if there is one."""
    large = defaults[defaults["n"] >= MIN_GROUP_SIZE]
    if large.empty:
        return title
    top = large.loc[large["value"].idxmax()]
    value = text.number(top["value"], "rate", lang)
    return say("migration.first_worst", lang, title=title, name=top["name"], value=value)


def _table(selection: Selection, question: Question, defaults: pd.DataFrame) -> None:
    lang = selection.lang
    columns = ("cohort", "value", "missed", "judged", "lent")
    heads = [say(f"migration.{name}", lang) for name in columns]
    if question.by:
        heads[0] = queries.dimension_name(question.by[0], lang)
    rows = [_row(row, lang) for row in defaults.to_dict("records")]

    def cell_at(row: int, column: int) -> dict[str, str]:
        cohort = defaults.iloc[row]
        cell = {"cohort": str(cohort["cohort"])[:10]}
        if question.by:
            cell["part"] = cohort["part"]
        if column in _ASSESSED_OF_COLUMN:
            cell["judged"] = _ASSESSED_OF_COLUMN[column]
        return cell

    drill_table.show(selection, pd.DataFrame(rows, columns=heads), heads[0], "first", cell_at)


def _row(row: dict[Hashable, Any], lang: str) -> tuple[str, ...]:
    """Return name, rate, missed, assessed and originated loans."""
    rate = text.number(row["value"], "rate", lang)
    return (
        row["name"],
        mark_small_group(rate, row["n"], lang),
        f"{int(row['numerator']):,}",
        f"{row['n']:,}",
        f"{row['loans']:,}",
    )
