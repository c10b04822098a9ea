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
from data.errors import Refused
from pages.parts.state import queries, selection
from pages.parts.state.selection import Choice
from pages.parts.widgets import chart, drilldown, headlines, metric_table
from pages.parts.widgets.theme import is_dark

MONTHS = 24
LINES = 15
_SAID = "reasons said on this page"
BY = ("product", "channel", "guarantee", "manager", "age_band", "payroll", "credit_grade")


@contextmanager
def part(here: Choice, metric: str) -> Iterator[None]:
    """A part of a page that may not be answerable: the reason is printed in its place, the rest of the page works."""
    try:
        yield
    except Refused as refusal:
        reason = queries.why(queries.about(here, metric), refusal, here.lang)
        if reason not in st.session_state.setdefault(_SAID, []):
            st.session_state[_SAID].append(reason)
            note(reason)


def note(*sentences: str) -> None:
    """Small print."""
    said = " ".join(html.escape(sentence) for sentence in sentences if sentence)
    if said:
        st.html(f'<p class="lp-note">{said}</p>')


def begin() -> None:
    """A page begins: a reason is printed once a page."""
    st.session_state[_SAID] = []


def lead(facts: Sequence[str], lang: str) -> None:
    """The sentence above a page, from computed facts. With it a page begins."""
    begin()
    said = headlines.sentence(list(facts), lang)
    if said:
        st.html(f'<p class="lp-lead">{html.escape(said)}</p>')


def trend(here: Choice, metric: str, key: str = "trend") -> None:
    """Twenty-four months with the year before in grey; a click on a month opens its list."""
    with part(here, metric):
        question = queries.about(here, metric, last=MONTHS + 12)
        answer = queries.ask(question)
        if len(answer) < 2:
            note(say("words.one_month", here.lang))
            return
        title = headlines.path(metric, answer.tail(MONTHS), here.lang)
        figure = metric_charts.trend(answer, METRICS[metric], here.lang, dark=is_dark(), show=MONTHS)
        chart.show(here, key, title, figure, answer, question, ("as_of",))


def codes(here: Choice, metric: str, split: str) -> list[str]:
    """The codes of a split that hold anybody, in the order of its labels; empty where it cannot be asked."""
    try:
        held = set(queries.ask(queries.about(here, metric, (split,), compare=False))[split])
    except Refused:
        return []
    return [code for code in queries.labels(split, here.lang, here.scheme) if code in held]


def by_class(here: Choice, metric: str, key: str = "class") -> None:
    """The tiers of the chosen opening side by side; a click opens the list of a tier."""
    with part(here, metric):
        _bars(here, metric, "class", key, {}, list(queries.labels("class", here.lang, here.scheme)))


def months_by_class(here: Choice, metric: str, key: str = "months") -> None:
    """A line per tier over twenty-four months, all on one scale."""
    with part(here, metric):
        question = queries.about(here, metric, ("class",), last=MONTHS)
        answer = queries.ask(question)
        if answer["as_of"].nunique() < 2:
            return
        names = queries.labels("class", here.lang, here.scheme)
        title = headlines.way(metric, answer, "class", names, here.lang)
        figure = metric_charts.multiples(
            answer, METRICS[metric], "class", names, here.lang, dark=is_dark(), order=list(names),
            columns=4 if len(answer["class"].unique()) > 6 else 3,
        )  # fmt: skip
        chart.show(here, key, title, figure, answer, question, ("class",))


def by_split(here: Choice, metric: str, key: str = "split", within: Mapping[str, str] | None = None) -> None:
    """Bars by the split that the reader picks. A branch goes one level down; every other bar opens its list.

    within  a cell that all bars lie in, such as {"class": "C"}
    """
    lang = here.lang
    below = f"branch_{min(len(here.branch) + 1, 3)}"
    honest = [split for split in (below, *BY) if METRICS[metric].may_split(SPLITS[split])]
    names = [split for split in honest if queries.held(split) or (split == below and here.branch)]
    if not names or queries.whole(queries.about(here, metric, compare=False), lang)[0] is None:
        with part(here, metric):
            queries.ask(queries.about(here, metric, compare=False))
        return
    picked = chart.picker(
        here, key, ["branch", *names[1:]] if names[0] == below else names,
        lambda id: queries.name_of_split(below if id == "branch" else id, lang), say("words.split_by", lang),
    )  # fmt: skip
    unfit = [
        SPLITS[split].name[lang] for split in BY if queries.held(split) and not METRICS[metric].may_split(SPLITS[split])
    ]
    with part(here, metric):
        _bars(here, metric, below if picked == "branch" else picked, f"{key}_bars", dict(within or {}))
    if unfit:
        note(say("words.no_split", lang, metric=METRICS[metric].name[lang], splits=text.listing(unfit, lang)))


def _bars(
    here: Choice, metric: str, split: str, key: str, within: dict[str, str], order: list[str] | None = None
) -> None:
    lang, declared = here.lang, METRICS[metric]
    question = queries.about(here, metric, (split,), compare=False)
    question = question.about(where=(*question.where, *((column, (code,)) for column, code in within.items())))
    answer = queries.ask(question)
    names = queries.labels(split, lang, here.scheme)
    shown = answer if order else largest(answer)
    whole = None
    if declared.unit not in ("money", "count"):
        whole = queries.ask(question.about(by=()))["value"].iloc[0]

    def down(cell: dict[str, str]) -> None:
        code = cell[split]
        if split.startswith("branch_") and code in queries.tree() and len(here.branch) < 2:
            selection.change(branch=queries.tree()[code].path)
        else:
            drilldown.open_cell(metric, within | cell)

    title = headlines.spread(
        metric, answer, split, names, lang, within=drilldown.name_of(here, within) if within else ""
    )
    figure = metric_charts.bars(
        shown, declared, split, names, lang, dark=is_dark(), order=order or list(shown[split]), whole=whole
    )
    chart.show(here, key, title, figure, answer, question, (split,), down)
    goes = split.startswith("branch_") and len(here.branch) < 2
    more = say("words.first_of", lang, shown=str(len(shown)), all=str(len(answer))) if len(shown) < len(answer) else ""
    note(say("words.click_down" if goes else "words.click_list", lang), more)


def largest(answer: pd.DataFrame) -> pd.DataFrame:
    """The rows to draw: the largest values first, groups below 30 last, at most fifteen."""
    few = answer["n"] < MIN_GROUP_SIZE
    return answer.assign(few=few).sort_values(["few", "value"], ascending=[True, False], na_position="last").head(LINES)


def heading(title: str) -> None:
    """The title of a board that draws no chart of its own."""
    st.html(f'<p class="lp-message">{html.escape(title)}</p>')


def buckets(here: Choice, size: str) -> None:
    """How deep the late part lies: a size (balance, loans or customers) by days past due, current ones left out."""
    lang = here.lang
    with part(here, size):
        late = tuple(code for code in SPLITS["bucket"].values if code != "m0")
        question = queries.about(here, size, ("bucket",), compare=False)
        question = question.about(where=(*question.where, ("bucket", late)))
        answer = queries.ask(question)
        whole = queries.ask(question.about(by=())).iloc[0]
        names = queries.labels("bucket", lang)
        title = headlines.deepest(size, answer, whole, names, lang)
        figure = metric_charts.bars(answer, METRICS[size], "bucket", names, lang, dark=is_dark(), order=late)
        chart.show(here, "buckets", title, figure, answer, question, ("bucket",))
        note(say("overdue.buckets", lang), say("words.click_list", lang))


INCOME = ("contribution_interest", "contribution_fees", "contribution_deposits")
COSTS = ("cost_funding", "cost_expected_loss", "cost_operating")


def waterfall(here: Choice) -> None:
    """Interest, fees and deposit margin make gross; less funding, expected loss and operating cost it is net."""
    lang, net = here.lang, "contribution_net"
    kinds = dict.fromkeys(INCOME, "plus") | {"contribution_gross": "total"}
    kinds |= dict.fromkeys(COSTS, "minus") | {net: "total"}
    answered = {id for id in kinds if queries.whole(queries.about(here, id, compare=False), lang)[0] is not None}
    if answered and net not in answered:
        metric_table.listed(here, tuple(kinds))
    with part(here, net):
        questions = {id: queries.about(here, id, compare=False) for id in kinds}
        sums = {id: queries.ask(question).iloc[0] for id, question in questions.items()}
        steps = [
            Step(id, METRICS[id].name[lang], row["value"], kinds[id], METRICS[id].meaning[lang])
            for id, row in sums.items()
        ]
        gross, kept = sums["contribution_gross"]["value"], sums[net]["value"]
        heaviest = max(COSTS, key=lambda id: sums[id]["value"])
        title = say(
            "contribution.bridge", lang, gross=text.number(gross, "money", lang), net=text.number(kept, "money", lang),
            cost=METRICS[heaviest].name[lang], amount=text.number(sums[heaviest]["value"], "money", lang),
        )  # fmt: skip
        answer = pd.DataFrame([row.to_dict() for row in sums.values()])
        chart.show(
            here, "bridge", title, contribution_charts.waterfall(steps, lang, dark=is_dark()), answer, questions[net],
            ("metric",), lambda cell: drilldown.open_cell(cell["metric"], {}), lambda: metric_table.listed(here, tuple(kinds)),
        )  # fmt: skip


def gross_and_net(here: Choice) -> None:
    """Both contributions tier by tier: the order of the tiers by one is not their order by the other."""
    lang, both = here.lang, ("contribution_gross", "contribution_net")
    with part(here, both[1]):
        asked = [queries.about(here, id, ("class",), compare=False) for id in both]
        answers = tuple(queries.ask(question) for question in asked)
        names = queries.labels("class", lang, here.scheme)
        title = headlines.reranked(both, answers, "class", names, lang)
        figure = contribution_charts.pairs(
            answers, tuple(METRICS[id] for id in both), "class", names, lang, dark=is_dark()
        )
        chart.show(
            here, "pairs", title, figure, answers[1], asked[1], ("metric", "class"),
            lambda cell: drilldown.open_cell(cell["metric"], {"class": cell["class"]}),
            lambda: metric_table.board(here, both, key="pairs_table", parts=dict.fromkeys(both, ("value", "change", "n"))),
        )  # fmt: skip
        note(say("contribution.pairs", lang, first=METRICS[both[0]].name[lang], second=METRICS[both[1]].name[lang]))
