"""The share of customers reborrowing, by days since they settled."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analytics.analysis import reloan_curve
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
MAX_DAYS = 365


def show(selection: Selection, question: Question) -> CohortQuery:
    """Draw the share reborrowing by days since settlement; return the query of its lists."""
    lang = selection.lang
    query = CohortQuery(question, "curve")
    with boards.guarded_section(selection, "reloan_rate_90"):
        result = queries.cached_analysis(reloan_curve.curve, question)
        summary = result.summary
        all_names: dict[str, str] = {}
        if question.by:
            all_names |= queries.labels(question.by[0], lang, selection.scheme)
        all_names[reloan_curve.WHOLE] = say("table.total", lang)
        enough = summary[summary["n"] >= MIN_GROUP_SIZE]
        parts = set(enough.sort_values("n", ascending=False)["part"].head(MAX_LINES))
        is_drawn = result.points["part"].isin(parts) & (result.points["days"] <= MAX_DAYS)
        points = result.points[is_drawn]
        whole = summary[summary["part"] == reloan_curve.WHOLE].iloc[0]
        ticks: dict[float, str] = {
            day: say("reloan.days", lang, days=day) for day in (0, 30, 90, 180, 365)
        }
        figure = curve_charts.curves(
            points,
            "days",
            {code: name for code, name in all_names.items() if code in parts},
            ticks,
            lang,
            dark=is_dark(),
            bold=(reloan_curve.WHOLE,),
            small=0,
            stepped=True,
        )
        chart.show(
            selection,
            chart.Chart(
                "curve",
                _window(whole, lang),
                figure=figure,
                answer=points,
                question=question.with_changes("reloan_rate_90", by=()),
                dimensions=("part",),
                on_click=lambda mark: move_drilldown.open_move({"part": mark["part"]}),
                draw_table=lambda: _table(selection, summary, all_names),
            ),
        )
        caption(say("migration.curve_note", lang), say("migration.curve_click", lang))
    return query


def _window(whole: pd.Series, lang: str) -> str:
    """Return the win-back window in words."""
    if text.is_missing(whole["half_by"]) or text.is_missing(whole["value_180"]):
        return say("migration.no_window", lang)
    return say(
        "migration.window",
        lang,
        value=text.number(whole["value_180"], "rate", lang),
        half=int(whole["half_by"]),
        most=int(whole["most_by"]),
    )


def _table(selection: Selection, summary: pd.DataFrame, names: Mapping[str, str]) -> None:
    lang = selection.lang
    rows = [row for row in summary.to_dict("records") if row["part"] in names]
    codes = [row["part"] for row in rows]
    head = say("words.split_by", lang)
    frame = pd.DataFrame([{head: names[row["part"]]} | _table_row(row, lang) for row in rows])
    # Columns: the part, one per window, those who returned, those who settled.
    returned = len(reloan_curve.WINDOWS) + 1

    def cell_at(row: int, column: int) -> dict[str, str]:
        cell = {"part": codes[row]}
        if column == returned:
            cell["back"] = "yes"
        return cell

    drill_table.show(selection, frame, head, "curve", cell_at)


def _table_row(row: Mapping[Hashable, Any], lang: str) -> dict[str, str]:
    """Return head → words: the share with its interval by window, how many returned, and n."""
    cells = {}
    for window in reloan_curve.WINDOWS:
        cells[say("reloan.days", lang, days=window)] = _share(row, window, lang)
    cells[say("migration.back", lang)] = f"{row['back']:,}"
    cells["n"] = mark_small_group(f"{row['n']:,}", row["n"], lang)
    return cells


def _share(row: Mapping[Hashable, Any], window: int, lang: str) -> str:
    share = row[f"value_{window}"]
    if text.is_missing(share):
        return say("figure.few", lang)
    low = text.number(row[f"low_{window}"], "rate", lang)
    high = text.number(row[f"high_{window}"], "rate", lang)
    return f"{text.number(share, 'rate', lang)} ({low}–{high})"
