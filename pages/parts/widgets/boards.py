"""The boards that the pages share: a metric over time, by tier, by another split; each says why it cannot be shown."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, SPLITS
from analytics.presentation import contribution_charts, metric_charts
from analytics.presentation.contribution_charts import Step
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, update_selection
from pages.parts.widgets import chart, drilldown, headlines, metric_table
from pages.parts.widgets.theme import is_dark

MONTHS = 24
MAX_BARS = 15
_PRINTED_REASONS = "reasons said on this page"
DIMENSIONS_OFFERED = (
    "product",
    "channel",
    "guarantee",
    "manager",
    "age_band",
    "payroll",
    "credit_grade",
)


@contextmanager
def guarded_section(selection: Selection, metric: str) -> Iterator[None]:
    """A part of a page that may not be answerable: the reason is printed in its place, the rest of the page works."""
    try:
        yield
    except UserError as refusal:
        reason = queries.explain_refusal(
            queries.question_for(selection, metric), refusal, selection.lang
        )
        if reason not in st.session_state.setdefault(_PRINTED_REASONS, []):
            st.session_state[_PRINTED_REASONS].append(reason)
            caption(reason)


def caption(*sentences: str) -> None:
    """Small print."""
    said = " ".join(html.escape(sentence) for sentence in sentences if sentence)
    if said:
        st.html(f'<p class="lp-note">{said}</p>')


def begin_page() -> None:
    """A page begins: a reason is printed once a page."""
    st.session_state[_PRINTED_REASONS] = []


def headline(facts: Sequence[str], lang: str) -> None:
    """The sentence above a page, from computed facts. With it a page begins."""
    begin_page()
    said = headlines.join_facts(list(facts), lang)
    if said:
        st.html(f'<p class="lp-lead">{html.escape(said)}</p>')


def trend(selection: Selection, metric: str, key: str = "trend") -> None:
    """Twenty-four months with the year before in grey; a click on a month opens its list."""
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
        chart.show(selection, key, title, figure, answer, question, ("as_of",))


def nonempty_codes(selection: Selection, metric: str, split: str) -> list[str]:
    """The codes of a split that hold anybody, in the order of its labels; empty where it cannot be asked."""
    try:
        held = set(
            queries.ask(queries.question_for(selection, metric, (split,), compare=False))[split]
        )
    except UserError:
        return []
    return [
        code for code in queries.labels(split, selection.lang, selection.scheme) if code in held
    ]


def by_class(selection: Selection, metric: str, key: str = "class") -> None:
    """The tiers of the chosen opening side by side; a click opens the list of a tier."""
    with guarded_section(selection, metric):
        _bars(
            selection,
            metric,
            "class",
            key,
            {},
            list(queries.labels("class", selection.lang, selection.scheme)),
        )


def months_by_class(selection: Selection, metric: str, key: str = "months") -> None:
    """A line per tier over twenty-four months, all on one scale."""
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
        chart.show(selection, key, title, figure, answer, question, ("class",))


def by_dimension(
    selection: Selection, metric: str, key: str = "split", within: Mapping[str, str] | None = None
) -> None:
    """Bars by the split that the reader picks. A branch goes one level down; every other bar opens its list.

    within  a cell that all bars lie in, such as {"class": "C"}
    """
    lang = selection.lang
    below = f"branch_{min(len(selection.branch) + 1, 3)}"
    honest = [
        split for split in (below, *DIMENSIONS_OFFERED) if METRICS[metric].may_split(SPLITS[split])
    ]
    names = [
        split
        for split in honest
        if queries.has_variation(split) or (split == below and selection.branch)
    ]
    if (
        not names
        or queries.total_row(queries.question_for(selection, metric, compare=False), lang)[0]
        is None
    ):
        with guarded_section(selection, metric):
            queries.ask(queries.question_for(selection, metric, compare=False))
        return
    picked = chart.picker(
        selection,
        key,
        ["branch", *names[1:]] if names[0] == below else names,
        lambda id: queries.dimension_name(below if id == "branch" else id, lang),
        say("words.split_by", lang),
    )
    unfit = [
        SPLITS[split].name[lang]
        for split in DIMENSIONS_OFFERED
        if queries.has_variation(split) and not METRICS[metric].may_split(SPLITS[split])
    ]
    with guarded_section(selection, metric):
        _bars(
            selection,
            metric,
            below if picked == "branch" else picked,
            f"{key}_bars",
            dict(within or {}),
        )
    if unfit:
        caption(
            say(
                "words.no_split",
                lang,
                metric=METRICS[metric].name[lang],
                splits=text.listing(unfit, lang),
            )
        )


def _bars(
    selection: Selection,
    metric: str,
    split: str,
    key: str,
    within: dict[str, str],
    order: list[str] | None = None,
) -> None:
    lang, declared = selection.lang, METRICS[metric]
    question = queries.question_for(selection, metric, (split,), compare=False)
    question = question.about(
        where=(*question.where, *((column, (code,)) for column, code in within.items()))
    )
    answer = queries.ask(question)
    names = queries.labels(split, lang, selection.scheme)
    shown = answer if order else largest_first(answer)
    whole = None
    if declared.unit not in ("money", "count"):
        whole = queries.ask(question.about(by=()))["value"].iloc[0]

    def down(cell: dict[str, str]) -> None:
        code = cell[split]
        if (
            split.startswith("branch_")
            and code in queries.branch_tree()
            and len(selection.branch) < 2
        ):
            update_selection(branch=queries.branch_tree()[code].path)
        else:
            drilldown.open_cell(metric, within | cell)

    title = headlines.spread(
        metric,
        answer,
        split,
        names,
        lang,
        within=drilldown.cell_name(selection, within) if within else "",
    )
    figure = metric_charts.bars(
        shown,
        declared,
        split,
        names,
        lang,
        dark=is_dark(),
        order=order or list(shown[split]),
        whole=whole,
    )
    chart.show(selection, key, title, figure, answer, question, (split,), down)
    goes = split.startswith("branch_") and len(selection.branch) < 2
    more = (
        say("words.first_of", lang, shown=str(len(shown)), all=str(len(answer)))
        if len(shown) < len(answer)
        else ""
    )
    caption(say("words.click_down" if goes else "words.click_list", lang), more)


def largest_first(answer: pd.DataFrame) -> pd.DataFrame:
    """The rows to draw: the largest values first, groups below 30 last, at most fifteen."""
    few = answer["n"] < MIN_GROUP_SIZE
    return (
        answer.assign(few=few)
        .sort_values(["few", "value"], ascending=[True, False], na_position="last")
        .head(MAX_BARS)
    )


def section_title(title: str) -> None:
    """The title of a board that draws no chart of its own."""
    st.html(f'<p class="lp-message">{html.escape(title)}</p>')


def buckets(selection: Selection, size: str) -> None:
    """How deep the late part lies: a size (balance, loans or customers) by days past due, current ones left out."""
    lang = selection.lang
    with guarded_section(selection, size):
        late = tuple(code for code in SPLITS["bucket"].values if code != "m0")
        question = queries.question_for(selection, size, ("bucket",), compare=False)
        question = question.about(where=(*question.where, ("bucket", late)))
        answer = queries.ask(question)
        whole = queries.ask(question.about(by=())).iloc[0]
        names = queries.labels("bucket", lang)
        title = headlines.largest_bucket(size, answer, whole, names, lang)
        figure = metric_charts.bars(
            answer, METRICS[size], "bucket", names, lang, dark=is_dark(), order=late
        )
        chart.show(selection, "buckets", title, figure, answer, question, ("bucket",))
        caption(say("overdue.buckets", lang), say("words.click_list", lang))


INCOME = ("contribution_interest", "contribution_fees", "contribution_deposits")
COSTS = ("cost_funding", "cost_expected_loss", "cost_operating")


def waterfall(selection: Selection) -> None:
    """Interest, fees and deposit margin make gross; less funding, expected loss and operating cost it is net."""
    lang, net = selection.lang, "contribution_net"
    kinds = dict.fromkeys(INCOME, "plus") | {"contribution_gross": "total"}
    kinds |= dict.fromkeys(COSTS, "minus") | {net: "total"}
    answered = {
        id
        for id in kinds
        if queries.total_row(queries.question_for(selection, id, compare=False), lang)[0]
        is not None
    }
    if answered and net not in answered:
        metric_table.listing(selection, tuple(kinds))
    with guarded_section(selection, net):
        questions = {id: queries.question_for(selection, id, compare=False) for id in kinds}
        sums = {id: queries.ask(question).iloc[0] for id, question in questions.items()}
        steps = [
            Step(id, METRICS[id].name[lang], row["value"], kinds[id], METRICS[id].meaning[lang])
            for id, row in sums.items()
        ]
        gross, kept = sums["contribution_gross"]["value"], sums[net]["value"]
        heaviest = max(COSTS, key=lambda id: sums[id]["value"])
        title = say(
            "contribution.bridge",
            lang,
            gross=text.number(gross, "money", lang),
            net=text.number(kept, "money", lang),
            cost=METRICS[heaviest].name[lang],
            amount=text.number(sums[heaviest]["value"], "money", lang),
        )
        answer = pd.DataFrame([row.to_dict() for row in sums.values()])
        chart.show(
            selection,
            "bridge",
            title,
            contribution_charts.waterfall(steps, lang, dark=is_dark()),
            answer,
            questions[net],
            ("metric",),
            lambda cell: drilldown.open_cell(cell["metric"], {}),
            lambda: metric_table.listing(selection, tuple(kinds)),
        )


def gross_and_net(selection: Selection) -> None:
    """Both contributions tier by tier: the order of the tiers by one is not their order by the other."""
    lang, both = selection.lang, ("contribution_gross", "contribution_net")
    with guarded_section(selection, both[1]):
        asked = [queries.question_for(selection, id, ("class",), compare=False) for id in both]
        answers = tuple(queries.ask(question) for question in asked)
        names = queries.labels("class", lang, selection.scheme)
        title = headlines.compare_leaders(both, answers, "class", names, lang)
        figure = contribution_charts.pairs(
            answers, tuple(METRICS[id] for id in both), "class", names, lang, dark=is_dark()
        )
        chart.show(
            selection,
            "pairs",
            title,
            figure,
            answers[1],
            asked[1],
            ("metric", "class"),
            lambda cell: drilldown.open_cell(cell["metric"], {"class": cell["class"]}),
            lambda: metric_table.board(
                selection,
                both,
                key="pairs_table",
                parts=dict.fromkeys(both, ("value", "change", "n")),
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
