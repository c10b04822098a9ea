"""迁徙: class and bucket migration, vintages by age, reloan curves, and the forecast."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from analytics.analysis.migration import MigrationQuery
from analytics.i18n.text import say
from analytics.metrics.buckets import sets
from pages.parts.sections import change, migration
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, matrix, move_drilldown
from pages.parts.widgets.text import caption

selection = current_selection()
lang = selection.lang
boards.begin_page()


def words(name: str) -> Callable[[str], str]:
    return lambda code: say(f"migration.{name}_{code}", lang)


def days_words(code: str) -> str:
    return say(f"overdue.days_{code}", lang)


VIEWS = ("class", "rates", "bucket", "vintage", "curve", "forecast")
view = chart.picker(selection, "view", VIEWS, words("view"), say("migration.view", lang))
question = change.question_of(selection, "loans", ())
list_query = None
if view in ("class", "bucket"):
    before = change.month_picker(selection)
    measure = chart.picker(
        selection, "measure", matrix.MEASURES, words("measure"), say("migration.measure", lang)
    )
    buckets = "months"
    if view == "bucket":
        buckets = chart.picker(
            selection,
            "buckets",
            tuple(sets()),
            lambda id: sets()[id].name[lang],
            say("migration.buckets", lang),
        )
    list_query = MigrationQuery(question, before, view, buckets)
    migration.moves_matrix(selection, list_query, measure)
    if view == "bucket":
        migration.roll(selection, question, buckets)
elif view == "rates":
    before = change.month_picker(selection)
    list_query = MigrationQuery(question.about(scheme="loan_five"), before)
    migration.rates(selection, question, before)
elif view == "vintage":
    with st.container(horizontal=True, gap="small"):
        late = chart.picker(
            selection, "late", ("ever", "now"), words("late"), say("migration.late", lang)
        )
        days = chart.picker(
            selection, "days", ("30", "0", "60", "90"), days_words, say("overdue.days", lang)
        )
        counted = chart.picker(
            selection, "counted", ("balance", "loans"), words("counted"), say("overdue.by", lang)
        )
    by = migration.split_picker(selection, "loans", say("migration.by_cohort", lang))
    list_query, cohort = migration.vintage(
        selection, question.about(by=by), int(days), late, counted
    )
    migration.first_payment(selection, question.about(by=by), cohort)
    if "judged" in move_drilldown.open_cell_of(selection):
        list_query = replace(list_query, kind="first")
elif view == "curve":
    by = migration.split_picker(selection, "customers", say("migration.whole", lang), "class")
    list_query = migration.curve(selection, question.about("customers", by=by))
else:
    by = chart.picker(
        selection, "by", ("class", "bucket"), words("view"), say("words.split_by", lang)
    )
    measure = chart.picker(
        selection, "measure", ("n", "balance"), words("measure"), say("migration.measure", lang)
    )
    migration.forecast_board(selection, question, by, measure)
    caption(say("migration.today", lang))
if list_query:
    move_drilldown.show(selection, list_query)
