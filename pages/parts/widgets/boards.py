"""The boards that pages share: a metric over time, by tier or by another dimension."""

from __future__ import annotations

import html
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS, MIN_GROUP_SIZE
from analytics.presentation import contribution_charts, metric_charts
from analytics.presentation.contribution_charts import Step
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, update_selection
from pages.parts.widgets import chart, drilldown, headlines, metric_table
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark

MONTHS = 24
MAX_BARS = 15
# Session key of the reasons that this page has printed.
_PRINTED_REASONS = "reasons said on this page"
BOARD_DIMENSIONS = (
    "product",
    "channel",
    "guarantee",
    "manager",
    "age_band",
    "payroll",
    "credit_grade",
)


@contextmanager
def guarded_section(selection: Selection, metric: str) -> Generator[None]:
    """Print the reason in place of a section without an answer; the rest of the page works."""
    try:
        yield
    except UserError as refusal:
        reason = queries.explain_refusal(
            queries.question_for(selection, metric), refusal, selection.lang
        )
        if reason not in st.session_state.setdefault(_PRINTED_REASONS, []):
            st.session_state[_PRINTED_REASONS].append(reason)
            caption(reason)


def begin_page() -> None:
    """Begin a page: each reason is printed once per page."""
    st.session_state[_PRINTED_REASONS] = []


def headline(facts: Sequence[str], lang: str) -> None:
    """Begin a page with one sentence made of facts."""
    begin_page()
    sentence = headlines.join_facts(facts, lang)
    if sentence:
        st.html(f'<p class="lp-lead">{html.escape(sentence)}</p>')


def trend(selection: Selection, metric: str, key: str = "trend") -> None:
    """Draw twenty-four months with the year before in grey; a click on a month opens its list."""
    with guarded_section(selection, metric):
        question = queries.question_for(selection, metric, last=MONTHS + 12)
        answer = queries.ask(question)
        if len(answer) < 2:
            caption(say("words.one_month", selection.lang))
            return
        title = headlines.trend_position(metric, answer.tail(MONTHS), selection.lang)
        figure = metric_charts.trend(
            answer, METRICS[metric], selection.lang, dark=is_dark(), show=MONTHS
        )
        chart.show(
            selection,
            chart.Chart(key, title, figure, answer, question, dimensions=("as_of",)),
        )


def _has_answer(selection: Selection, metric: str) -> bool:
    question = queries.question_for(selection, metric, compare=False)
    return queries.total_row(question, selection.lang)[0] is not None


def nonempty_codes(selection: Selection, metric: str, dimension: str) -> list[str]:
    """Return the codes of a dimension that have rows, in printing order."""
    question = queries.question_for(selection, metric, (dimension,), compare=False)
    try:
        present = set(queries.ask(question)[dimension])
    except UserError:
        return []
    names = queries.labels(dimension, selection.lang, selection.scheme)
    return [code for code in names if code in present]


def by_class(selection: Selection, metric: str, key: str = "class") -> None:
    """Draw the tiers of the selected opening as bars; a click opens the list of a tier."""
    with guarded_section(selection, metric):
        order = list(queries.labels("class", selection.lang, selection.scheme))
        _bars(selection, metric, "class", key, {}, order)


def months_by_class(selection: Selection, metric: str, key: str = "months") -> None:
    """Draw a line per tier over twenty-four months, all on one scale."""
    with guarded_section(selection, metric):
        question = queries.question_for(selection, metric, ("class",), last=MONTHS)
        answer = queries.ask(question)
        if answer["as_of"].nunique() < 2:
            return
        names = queries.labels("class", selection.lang, selection.scheme)
        title = headlines.largest_mover(metric, answer, "class", names, selection.lang)
        figure = metric_charts.multiples(
            answer,
            METRICS[metric],
            "class",
            names,
            selection.lang,
            dark=is_dark(),
            order=list(names),
            columns=4 if len(answer["class"].unique()) > 6 else 3,
        )
        chart.show(
            selection,
            chart.Chart(key, title, figure, answer, question, dimensions=("class",)),
        )


def by_dimension(
    selection: Selection, metric: str, key: str = "split", within: Mapping[str, str] | None = None
) -> None:
    """Draw bars by the dimension that the reader picks; a click goes down a branch or opens a list.

    `within` is a cell that all bars lie in, such as {"class": "C"}.
    """
    dimensions = _dimensions_of(selection, metric)
    if not dimensions or not _has_answer(selection, metric):
        with guarded_section(selection, metric):
            queries.ask(queries.question_for(selection, metric, compare=False))
        return
    dimension = _dimension_picker(selection, key, dimensions)
    with guarded_section(selection, metric):
        _bars(selection, metric, dimension, f"{key}_bars", within or {})
    _unsupported_note(metric, selection.lang)


def _dimensions_of(selection: Selection, metric: str) -> list[str]:
    """Return the dimensions that the metric supports and whose values differ, the branch first."""
    below = selection.branch_dimension
    return [
        dimension
        for dimension in (below, *BOARD_DIMENSIONS)
        if METRICS[metric].supports(DIMENSIONS[dimension])
        and (queries.has_variation(dimension) or (dimension == below and selection.branch))
    ]


def _dimension_picker(selection: Selection, key: str, dimensions: Sequence[str]) -> str:
    """Draw the choice of a dimension; in the URL the branch is "branch", whatever its level."""
    below = selection.branch_dimension
    options = ["branch" if dimension == below else dimension for dimension in dimensions]

    def label(code: str) -> str:
        return queries.dimension_name(below if code == "branch" else code, selection.lang)

    code = chart.picker(selection, key, options, label, say("words.split_by", selection.lang))
    return below if code == "branch" else code


def _unsupported_note(metric: str, lang: str) -> None:
    """Draw which dimensions vary and are not supported by the metric."""
    unsupported = [
        DIMENSIONS[dimension].name[lang]
        for dimension in BOARD_DIMENSIONS
        if queries.has_variation(dimension) and not METRICS[metric].supports(DIMENSIONS[dimension])
    ]
    if unsupported:
        names = text.listing(unsupported, lang)
        caption(say("words.no_split", lang, metric=METRICS[metric].name[lang], splits=names))


def _bars(
    selection: Selection,
    metric: str,
    dimension: str,
    key: str,
    within: Mapping[str, str],
    order: list[str] | None = None,
) -> None:
    lang = selection.lang
    definition = METRICS[metric]
    question = queries.question_for(selection, metric, (dimension,), compare=False)
    question = question.with_changes(
        where=(*question.where, *((column, (code,)) for column, code in within.items()))
    )
    answer = queries.ask(question)
    names = queries.labels(dimension, lang, selection.scheme)
    largest = answer if order else largest_first(answer)
    whole = None
    if definition.unit not in ("money", "count"):
        whole = queries.ask(question.with_changes(by=()))["value"].iloc[0]

    has_level_below = dimension.startswith("branch_") and len(selection.branch) < 2

    def open_part(cell: dict[str, str]) -> None:
        branch = queries.branch_tree().get(cell[dimension])
        if has_level_below and branch is not None:
            update_selection(branch=branch.path)
        else:
            drilldown.open_cell(metric, dict(within) | cell)

    place = drilldown.cell_name(selection, within) if within else ""
    title = headlines.best_and_worst(metric, answer, dimension, names, lang, within=place)
    figure = metric_charts.bars(
        largest,
        definition,
        dimension,
        names,
        lang,
        dark=is_dark(),
        order=order or list(largest[dimension]),
        whole=whole,
    )
    chart.show(
        selection,
        chart.Chart(
            key,
            title,
            figure,
            answer,
            question,
            dimensions=(dimension,),
            on_click=open_part,
        ),
    )
    more = ""
    if len(largest) < len(answer):
        more = say("words.first_of", lang, shown=str(len(largest)), all=str(len(answer)))
    caption(say("words.click_down" if has_level_below else "words.click_list", lang), more)


def largest_first(answer: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to draw: largest value first, small groups last, at most MAX_BARS."""
    few = answer["n"] < MIN_GROUP_SIZE
    return (
        answer.assign(few=few)
        .sort_values(["few", "value"], ascending=[True, False], na_position="last")
        .head(MAX_BARS)
    )


def buckets(selection: Selection, size: str) -> None:
    """Draw the balance, loans or customers in arrears by days past due."""
    lang = selection.lang
    with guarded_section(selection, size):
        late = tuple(code for code in DIMENSIONS["bucket"].values if code != "m0")
        question = queries.question_for(selection, size, ("bucket",), compare=False)
        question = question.with_changes(where=(*question.where, ("bucket", late)))
        answer = queries.ask(question)
        whole = queries.ask(question.with_changes(by=())).iloc[0]
        names = queries.labels("bucket", lang)
        title = headlines.largest_bucket(size, answer, whole, names, lang)
        figure = metric_charts.bars(
            answer, METRICS[size], "bucket", names, lang, dark=is_dark(), order=late
        )
        chart.show(
            selection,
            chart.Chart(
                "buckets",
                title,
                figure,
                answer,
                question,
                dimensions=("bucket",),
            ),
        )
        caption(say("overdue.buckets", lang), say("words.click_list", lang))


INCOME = ("contribution_interest", "contribution_fees", "contribution_deposits")
COSTS = ("cost_funding", "cost_expected_loss", "cost_operating")


def waterfall(selection: Selection) -> None:
    """Draw the contribution from interest, fees and deposit margin over costs to net."""
    lang = selection.lang
    net = "contribution_net"
    kinds = dict.fromkeys(INCOME, "plus") | {"contribution_gross": "total"}
    kinds |= dict.fromkeys(COSTS, "minus") | {net: "total"}
    available = {id for id in kinds if _has_answer(selection, id)}
    if available and net not in available:
        metric_table.listing(selection, tuple(kinds))
    with guarded_section(selection, net):
        questions = {id: queries.question_for(selection, id, compare=False) for id in kinds}
        sums = {id: queries.ask(question).iloc[0] for id, question in questions.items()}
        steps = [
            Step(id, METRICS[id].name[lang], row["value"], kinds[id], METRICS[id].meaning[lang])
            for id, row in sums.items()
        ]
        gross = sums["contribution_gross"]["value"]
        net_value = sums[net]["value"]
        heaviest = max(COSTS, key=lambda id: sums[id]["value"])
        title = say(
            "contribution.bridge",
            lang,
            gross=text.number(gross, "money", lang),
            net=text.number(net_value, "money", lang),
            cost=METRICS[heaviest].name[lang],
            amount=text.number(sums[heaviest]["value"], "money", lang),
        )
        answer = pd.DataFrame([row.to_dict() for row in sums.values()])
        chart.show(
            selection,
            chart.Chart(
                "bridge",
                title,
                figure=contribution_charts.waterfall(steps, lang, dark=is_dark()),
                answer=answer,
                question=questions[net],
                dimensions=("metric",),
                on_click=lambda cell: drilldown.open_cell(cell["metric"], {}),
                draw_table=lambda: metric_table.listing(selection, tuple(kinds)),
            ),
        )


def gross_and_net(selection: Selection) -> None:
    """Draw gross and net contribution tier by tier: they rank the tiers differently."""
    lang = selection.lang
    both = ("contribution_gross", "contribution_net")
    with guarded_section(selection, both[1]):
        questions = [queries.question_for(selection, id, ("class",), compare=False) for id in both]
        answers = (queries.ask(questions[0]), queries.ask(questions[1]))
        metrics = (METRICS[both[0]], METRICS[both[1]])
        names = queries.labels("class", lang, selection.scheme)
        title = headlines.compare_leaders(both, answers, "class", names, lang)
        figure = contribution_charts.pairs(answers, metrics, "class", names, lang, dark=is_dark())
        chart.show(
            selection,
            chart.Chart(
                "pairs",
                title,
                figure=figure,
                answer=answers[1],
                question=questions[1],
                dimensions=("metric", "class"),
                on_click=lambda cell: drilldown.open_cell(cell["metric"], {"class": cell["class"]}),
                draw_table=lambda: metric_table.board(
                    selection,
                    both,
                    key="pairs_table",
                    parts=dict.fromkeys(both, ("value", "change", "n")),
                ),
            ),
        )
        caption(
            say(
                "contribution.pairs",
                lang,
                first=METRICS[both[0]].name[lang],
                second=METRICS[both[1]].name[lang],
            )
        )
