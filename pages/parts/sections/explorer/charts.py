"""The parts of a level as bars, and as small multiples over twenty-four months."""

from __future__ import annotations

from analytics.i18n.text import say
from analytics.metrics.question import Question
from analytics.presentation import metric_charts
from pages.parts.sections.explorer.level import Level, Parts
from pages.parts.state import queries
from pages.parts.widgets import boards, chart
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark

MONTHS = 24
MAX_PANELS = 12


def bars(level: Level, question: Question) -> None:
    """Draw the parts as bars, largest first, beside the value of the whole cell."""
    metric = level.definition
    dimension = level.dimension
    answer = queries.ask(question)
    largest = boards.largest_first(answer)
    whole = None
    if metric.unit not in ("money", "count"):
        whole = queries.ask(question.with_changes(by=()))["value"].iloc[0]
    figure = metric_charts.bars(
        largest,
        metric,
        dimension,
        level.names(),
        level.lang,
        dark=is_dark(),
        order=list(largest[dimension]),
        whole=whole,
    )
    chart.show(
        level.selection,
        chart.Chart(
            "cut_bars",
            "",
            figure,
            answer,
            question,
            dimensions=(dimension,),
            on_click=level.open_part,
        ),
    )


def trend(level: Level, question: Question, parts: Parts) -> None:
    """Draw the largest parts over twenty-four months, a panel each."""
    dimension = level.dimension
    question = question.with_changes(last=MONTHS)
    answer = queries.ask(question)
    by_size = parts.frame.sort_values("n", ascending=False)
    codes = list(by_size[dimension].head(MAX_PANELS))
    order = [code for code in level.names() if code in codes]
    if "as_of" not in answer or not order:
        caption(say("explorer.no_trend" if order else "figure.nobody", level.lang))
        return
    figure = metric_charts.multiples(
        answer[answer[dimension].isin(codes)],
        level.definition,
        dimension,
        level.names(),
        level.lang,
        dark=is_dark(),
        order=order,
    )
    chart.show(
        level.selection,
        chart.Chart(
            "cut_trend",
            "",
            figure,
            answer,
            question,
            dimensions=(dimension,),
            on_click=level.open_part,
        ),
    )
