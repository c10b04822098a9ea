"""迁徙: who moved between classes and buckets, cohorts by age, who comes back, and where the book is going."""

from dataclasses import replace

import streamlit as st

from analytics.buckets import sets
from analytics.moves import Moves
from analytics.text import say
from pages.parts import boards, charts, choice, matrix, moved, paths, why

here = choice.now()
lang = here.lang
boards.begin()


def words(name):
    return lambda code: say(f"migration.{name}_{code}", lang)


def days_words(code):
    return say(f"overdue.days_{code}", lang)


VIEWS = ("class", "rates", "bucket", "vintage", "curve", "forecast")
view = charts.picker(here, "view", VIEWS, words("view"), say("migration.view", lang))
question = why.asked_of(here, "loans", ())
asked = None
if view in ("class", "bucket"):
    before = why.month_picker(here)
    measure = charts.picker(here, "measure", matrix.MEASURES, words("measure"), say("migration.measure", lang))
    buckets = "months"
    if view == "bucket":
        buckets = charts.picker(
            here, "buckets", tuple(sets()), lambda id: sets()[id].name[lang], say("migration.buckets", lang)
        )
    asked = Moves(question, before, view, buckets)
    paths.moves_matrix(here, asked, measure)
    if view == "bucket":
        paths.roll(here, question, buckets)
elif view == "rates":
    before = why.month_picker(here)
    asked = Moves(question.about(scheme="loan_five"), before)
    paths.rates(here, question, before)
elif view == "vintage":
    with st.container(horizontal=True, gap="small"):
        late = charts.picker(here, "late", ("ever", "now"), words("late"), say("migration.late", lang))
        days = charts.picker(here, "days", ("30", "0", "60", "90"), days_words, say("overdue.days", lang))
        counted = charts.picker(here, "counted", ("balance", "loans"), words("counted"), say("overdue.by", lang))
    by = paths.split_picker(here, "loans", say("migration.by_cohort", lang))
    asked, cohort = paths.vintage(here, question.about(by=by), int(days), late, counted)
    paths.first_payment(here, question.about(by=by), cohort)
    if "judged" in moved.opened(here):
        asked = replace(asked, kind="first")
elif view == "curve":
    by = paths.split_picker(here, "customers", say("migration.whole", lang), "class")
    asked = paths.curve(here, question.about("customers", by=by))
else:
    by = charts.picker(here, "by", ("class", "bucket"), words("view"), say("words.split_by", lang))
    measure = charts.picker(here, "measure", ("n", "balance"), words("measure"), say("migration.measure", lang))
    paths.ahead(here, question, by, measure)
    boards.note(say("migration.today", lang))
if asked:
    moved.show(here, asked)
