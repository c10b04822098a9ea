"""迁徙: who moved between classes and buckets, cohorts by age, who comes back, and where the book is going."""

from dataclasses import replace

import streamlit as st

from analytics.analysis.migration import Moves
from analytics.i18n.text import say
from analytics.metrics.buckets import sets
from pages.parts.sections import change, migration
from pages.parts.state import selection
from pages.parts.widgets import boards, chart, matrix, move_drilldown

here = selection.now()
lang = here.lang
boards.begin()


def words(name):
    return lambda code: say(f"migration.{name}_{code}", lang)


def days_words(code):
    return say(f"overdue.days_{code}", lang)


VIEWS = ("class", "rates", "bucket", "vintage", "curve", "forecast")
view = chart.picker(here, "view", VIEWS, words("view"), say("migration.view", lang))
question = change.asked_of(here, "loans", ())
asked = None
if view in ("class", "bucket"):
    before = change.month_picker(here)
    measure = chart.picker(here, "measure", matrix.MEASURES, words("measure"), say("migration.measure", lang))
    buckets = "months"
    if view == "bucket":
        buckets = chart.picker(
            here, "buckets", tuple(sets()), lambda id: sets()[id].name[lang], say("migration.buckets", lang)
        )
    asked = Moves(question, before, view, buckets)
    migration.moves_matrix(here, asked, measure)
    if view == "bucket":
        migration.roll(here, question, buckets)
elif view == "rates":
    before = change.month_picker(here)
    asked = Moves(question.about(scheme="loan_five"), before)
    migration.rates(here, question, before)
elif view == "vintage":
    with st.container(horizontal=True, gap="small"):
        late = chart.picker(here, "late", ("ever", "now"), words("late"), say("migration.late", lang))
        days = chart.picker(here, "days", ("30", "0", "60", "90"), days_words, say("overdue.days", lang))
        counted = chart.picker(here, "counted", ("balance", "loans"), words("counted"), say("overdue.by", lang))
    by = migration.split_picker(here, "loans", say("migration.by_cohort", lang))
    asked, cohort = migration.vintage(here, question.about(by=by), int(days), late, counted)
    migration.first_payment(here, question.about(by=by), cohort)
    if "judged" in move_drilldown.opened(here):
        asked = replace(asked, kind="first")
elif view == "curve":
    by = migration.split_picker(here, "customers", say("migration.whole", lang), "class")
    asked = migration.curve(here, question.about("customers", by=by))
else:
    by = chart.picker(here, "by", ("class", "bucket"), words("view"), say("words.split_by", lang))
    measure = chart.picker(here, "measure", ("n", "balance"), words("measure"), say("migration.measure", lang))
    migration.ahead(here, question, by, measure)
    boards.note(say("migration.today", lang))
if asked:
    move_drilldown.show(here, asked)
