"""迁徙: class and bucket migration, vintages by age, reloan curves, and the forecast."""

from collections.abc import Callable
from dataclasses import replace

from analytics.analysis.migration import MigrationQuery
from analytics.i18n.text import say
from analytics.metrics.buckets import bucket_sets
from pages.parts.sections.change.controls import month_picker, question_of
from pages.parts.sections.migration import (
    first_payment,
    forecast_board,
    migration_matrix,
    migration_rates,
    reloan_curve,
    vintage,
)
from pages.parts.sections.migration.controls import dimension_picker
from pages.parts.state.selection import current_selection
from pages.parts.widgets import boards, chart, move_drilldown
from pages.parts.widgets.text import caption

selection = current_selection()
lang = selection.lang
boards.begin_page()


def words(name: str) -> Callable[[str], str]:
    """Return what a choice's codes are called: `migration.<name>_<code>`."""
    return lambda code: say(f"migration.{name}_{code}", lang)


BOARDS = ("class", "rates", "bucket", "vintage", "curve", "forecast")
board = chart.picker(selection, "view", BOARDS, words("view"), say("migration.view", lang))
question = question_of(selection, "loans", ())
list_query = None
if board in ("class", "bucket"):
    before = month_picker(selection)
    measure = migration_matrix.measure_picker(selection)
    buckets = "months"
    if board == "bucket":
        buckets = chart.picker(
            selection,
            "buckets",
            tuple(bucket_sets()),
            lambda id: bucket_sets()[id].name[lang],
            say("migration.buckets", lang),
        )
    list_query = MigrationQuery(question, before, board, buckets)
    migration_matrix.show(selection, list_query, measure)
    if board == "bucket":
        migration_rates.roll_rate_board(selection, question, buckets)
elif board == "rates":
    before = month_picker(selection)
    list_query = MigrationQuery(question.with_changes(scheme="loan_five"), before)
    migration_rates.regulatory_rate_board(selection, question, before)
elif board == "vintage":
    options = vintage.options_picker(selection)
    by = dimension_picker(selection, "loans", say("migration.by_cohort", lang))
    question = question.with_changes(by=by)
    list_query, cohort = vintage.show(selection, question, options)
    first_payment.show(selection, question, cohort)
    if "judged" in move_drilldown.open_cell_of(selection):
        list_query = replace(list_query, kind="first")
elif board == "curve":
    by = dimension_picker(selection, "customers", say("migration.whole", lang), "class")
    list_query = reloan_curve.show(selection, question.with_changes("customers", by=by))
else:
    by = chart.picker(
        selection, "by", ("class", "bucket"), words("view"), say("words.split_by", lang)
    )
    measure = chart.picker(
        selection, "measure", ("n", "balance"), words("measure"), say("migration.measure", lang)
    )
    forecast_board.show(selection, question, by, measure)
    caption(say("migration.today", lang))
if list_query:
    move_drilldown.show(selection, list_query)
