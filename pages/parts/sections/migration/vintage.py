"""Vintage curves: the loans of a cohort that became overdue, by months since disbursement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from analytics.analysis import cohorts
from analytics.analysis.cohorts import CohortQuery
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import MIN_GROUP_SIZE
from analytics.metrics.question import Question
from analytics.presentation import curve_charts
from pages.parts.sections.migration import drill_table
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, move_drilldown
from pages.parts.widgets.text import caption, mark_small_group
from pages.parts.widgets.theme import is_dark

MAX_LINES = 8
# A cohort of less than three months has no history yet.
MIN_MONTHS = 3
# Cohorts are compared, and a year of origination is offered first, at this age in months.
COMPARISON_AGE = 6


@dataclass(frozen=True)
class VintageOptions:
    """What the curves count.

    Parameters
    ----------
    days
        A loan is overdue from more than so many days past due.
    late
        "ever" overdue since disbursement, or overdue "now", at each age.
    size
        What a value counts: "balance" or "loans".
    """

    days: int
    late: str
    size: str


@dataclass(frozen=True)
class _Lines:
    """The lines of the chart: one per cohort, or one per part of one cohort.

    Parameters
    ----------
    curves
        part, month (since disbursement), value (share of one) and n.
    names
        part → its words, in printing order.
    head
        What a part is: the head of the first column of the table.
    cohort
        First day of the one cohort that the parts divide; empty where each line is a cohort.
    """

    curves: pd.DataFrame
    names: Mapping[str, str]
    head: str
    title: str
    cohort: str = ""

    def cell(self, part: str, month: int | None = None) -> dict[str, str]:
        """Return the cell of a list: a line, or with a month one point of it."""
        cell = {"cohort": self.cohort, "part": part} if self.cohort else {"cohort": part}
        if month is not None:
            cell["month"] = str(month)
        return cell

    def worst(self) -> tuple[str, float] | None:
        """Return the part of the highest value (share of one) up to COMPARISON_AGE, if above 0."""
        is_young = self.curves["month"] <= COMPARISON_AGE
        enough = self.curves[is_young & (self.curves["n"] >= MIN_GROUP_SIZE)]
        highest = enough.groupby("part")["value"].max()
        if highest.empty or not highest.max() > 0:
            return None
        return str(highest.idxmax()), float(highest.max())


def options_picker(selection: Selection) -> VintageOptions:
    """Draw the choices of the vintage board in a row."""
    lang = selection.lang

    def words(name: str) -> Callable[[str], str]:
        return lambda code: say(f"migration.{name}_{code}", lang)

    def day_words(code: str) -> str:
        return say(f"overdue.days_{code}", lang)

    with st.container(horizontal=True, gap="small"):
        late = chart.picker(
            selection, "late", ("ever", "now"), words("late"), say("migration.late", lang)
        )
        days = chart.picker(
            selection, "days", ("30", "0", "60", "90"), day_words, say("overdue.days", lang)
        )
        size = chart.picker(
            selection, "counted", ("balance", "loans"), words("counted"), say("overdue.by", lang)
        )
    return VintageOptions(int(days), late, size)


def show(
    selection: Selection, question: Question, options: VintageOptions
) -> tuple[CohortQuery, str]:
    """Draw vintage curves; return the query of their lists and the cohort.

    One line per cohort by months on book, or with a dimension one line per part of one cohort.
    """
    cohort = ""
    days = options.days
    late = options.late
    query = CohortQuery(question, "vintage", days, late, "year" if question.by else "quarter")
    with boards.guarded_section(selection, "loans"):
        curves = queries.cached_analysis(cohorts.vintage, question, days, late, query.period)
        if options.size == "loans":
            curves = curves.assign(value=curves["value_loans"])
        if question.by:
            lines = _parts_of_cohort(selection, curves, question.by[0])
            cohort = lines.cohort
        else:
            lines = _lines_by_cohort(curves, selection.lang)
        _draw(selection, question, lines)
        caption(
            say(f"migration.vintage_{late}", selection.lang, days=days),
            say(f"migration.vintage_by_{options.size}", selection.lang),
            say("migration.vintage_click", selection.lang),
        )
    return query, cohort


def _lines_by_cohort(curves: pd.DataFrame, lang: str) -> _Lines:
    """Return the newest cohorts that are old enough, a line each."""
    age = curves.groupby("cohort")["month"].max()
    newest = sorted(age[age >= MIN_MONTHS].index)[-MAX_LINES:]
    days = [str(day)[:10] for day in newest]
    names = {day: move_drilldown.period_name(day, "quarter") for day in days}
    curves = curves.assign(part=curves["cohort"].astype(str).str[:10])
    curves = curves[curves["part"].isin(names)]
    head = say("migration.cohort", lang)
    return _Lines(curves, names, head, say("migration.vintage_title", lang))


def _parts_of_cohort(selection: Selection, curves: pd.DataFrame, dimension: str) -> _Lines:
    """Return the largest parts of the cohort that the reader chooses, a line each."""
    lang = selection.lang
    cohort = _cohort_picker(selection, curves)
    curves = curves[curves["cohort"].astype(str).str[:10] == cohort]
    sizes = curves[curves["month"] == 0].sort_values("n", ascending=False)
    curves = curves[curves["part"].isin(sizes["part"].head(MAX_LINES))]
    parts = set(curves["part"])
    labels = queries.labels(dimension, lang, selection.scheme)
    names = {code: name for code, name in labels.items() if code in parts}
    title = say("migration.vintage_split", lang, cohort=cohort[:4])
    return _Lines(curves, names, queries.dimension_name(dimension, lang), title, cohort)


def _cohort_picker(selection: Selection, curves: pd.DataFrame) -> str:
    """Draw a choice of the year of origination; return its first day as an ISO date.

    The default is the newest one that has been on book for six months.
    """
    age = curves.groupby("cohort")["month"].max()
    old_enough = age[age >= COMPARISON_AGE]
    first = str(old_enough.index.max() if len(old_enough) else age.idxmax())[:10]
    years = sorted((str(day)[:10] for day in age.index), reverse=True)
    options = [first, *(day for day in years if day != first)]
    return chart.chooser(
        selection, "year", options, lambda day: day[:4], say("migration.cohort", selection.lang)
    )


def _draw(selection: Selection, question: Question, lines: _Lines) -> None:
    lang = selection.lang
    title = lines.title
    bold: list[str] = []
    worst = lines.worst()
    if worst is not None:
        part, value = worst
        bold = [part]
        title = say(
            "migration.vintage_worst",
            lang,
            title=lines.title,
            name=lines.names.get(part, ""),
            value=text.number(value, "rate", lang),
        )
    ticks: dict[float, str] = {
        month: say("migration.mob", lang, month=month) for month in range(0, 37, 6)
    }
    figure = curve_charts.curves(
        lines.curves, "month", lines.names, ticks, lang, dark=is_dark(), bold=bold
    )
    chart.show(
        selection,
        chart.Chart(
            "vintage",
            title,
            figure=figure,
            answer=lines.curves,
            question=question.with_changes(by=()),
            dimensions=("part", "month"),
            on_click=lambda mark: move_drilldown.open_move(
                lines.cell(mark["part"], int(mark["month"]))
            ),
            draw_table=lambda: _table(selection, lines),
        ),
    )


def _table(selection: Selection, lines: _Lines) -> None:
    """Draw the values of the curves at every third month."""
    lang = selection.lang
    curves = lines.curves
    codes = list(lines.names)
    wide = curves.pivot(index="part", columns="month", values="value").reindex(codes)
    counts = curves[curves["month"] == 0].set_index("part")["n"].reindex(codes)
    frame = pd.DataFrame(
        {
            lines.head: list(lines.names.values()),
            "n": [mark_small_group(f"{int(n):,}", n, lang) for n in counts],
        }
    )
    months = [month for month in wide.columns if month % 3 == 0]
    for month in months:
        frame[say("migration.mob", lang, month=month)] = [
            text.number(value, "rate", lang) for value in wide[month]
        ]

    def cell_at(row: int, column: int) -> dict[str, str]:
        # Columns: the part, n, one per month.
        if column < 2:
            return lines.cell(codes[row])
        month = months[column - 2]
        if text.is_missing(wide[month].iloc[row]):
            return lines.cell(codes[row])
        return lines.cell(codes[row], month)

    drill_table.show(selection, frame, lines.head, "vintage", cell_at)
