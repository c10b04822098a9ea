"""The migration matrix between classes or buckets, with the most frequent move as its title."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analytics.analysis import migration
from analytics.analysis.migration import MigrationQuery
from analytics.i18n import text
from analytics.i18n.text import say
from pages.parts.sections.migration import matrix_table
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, move_drilldown


def measure_picker(selection: Selection) -> str:
    """Draw the choice of what the cells print; return one of `matrix_table.MEASURES`."""
    return chart.picker(
        selection,
        "measure",
        matrix_table.MEASURES,
        lambda code: say(f"migration.measure_{code}", selection.lang),
        say("migration.measure", selection.lang),
    )


def show(selection: Selection, query: MigrationQuery, measure: str) -> None:
    """Draw the migration matrix between classes or buckets."""
    with boards.guarded_section(selection, "loans"):
        frame = queries.cached_analysis(migration.matrix, query)
        names = move_drilldown.state_names(selection, query)
        outside = {migration.JOINED, migration.MOVED_IN, *migration.EXITS}
        states = [code for code in names if code not in outside]
        title = _title(frame, states, names, query, selection.lang)
        matrix_table.show(selection, "matrix", title, frame, states, names, measure)


def _title(
    frame: pd.DataFrame,
    states: Sequence[str],
    names: Mapping[str, str],
    query: MigrationQuery,
    lang: str,
) -> str:
    """Return how many moved between the states, and the most frequent move."""
    inside = frame[frame["before"].isin(states) & frame["after"].isin(states)]
    moves = inside[inside["before"] != inside["after"]]
    facts = {
        "before": text.month(query.before, lang),
        "after": text.month(query.question.as_of, lang),
    }
    if inside.empty or moves.empty:
        return say("migration.nobody", lang, **facts)
    top = moves.loc[moves["n"].idxmax()]
    return say(
        "migration.title",
        lang,
        **facts,
        moved=f"{int(moves['n'].sum()):,}",
        all=f"{int(inside['n'].sum()):,}",
        source=names[top["before"]],
        target=names[top["after"]],
        n=f"{int(top['n']):,}",
        unit=say("migration.loans" if query.of_loans else "migration.customers", lang),
    )
