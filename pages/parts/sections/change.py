"""Why a metric changed: the sentence, the significance chips, the effects, the money bridge."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import attribution, migration, narrative, significance
from analytics.analysis.attribution import Bridge, cells_of
from analytics.analysis.migration import Flows, MigrationQuery
from analytics.analysis.significance import SignificanceResult
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS, MIN_GROUP_SIZE, Metric
from analytics.metrics.query import Question
from analytics.metrics.sql_builder import COMPARISONS
from analytics.presentation import change_charts, contribution_charts
from analytics.presentation.contribution_charts import Step
from analytics.presentation.theme import Theme, theme_for
from data.dates import month_end
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, set_param
from pages.parts.widgets import boards, chart, drilldown, move_drilldown
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

DIMENSIONS_OFFERED = (
    "class",
    "branch_1",
    "product",
    "channel",
    "guarantee",
    "age_band",
    "education",
    "employment",
    "account_type",
    "credit_grade",
    "payroll",
)


def comparison_month(selection: Selection) -> date:
    """Return the month end of the header's comparison; the month before where it has none."""
    return month_end(
        date.fromisoformat(selection.as_of), -COMPARISONS[selection.comparison or "mom"]
    )


def month_picker(selection: Selection) -> date:
    """Draw a choice of any earlier month end; the header's comparison is the default."""
    default = comparison_month(selection).isoformat()
    months = [day for day in queries.selection_options().months if day < selection.as_of][::-1]
    if not months:
        return date.fromisoformat(default)
    first = default if default in months else months[0]
    options = [first, *(day for day in months if day != first)]
    label = say("changes.compared", selection.lang)
    return date.fromisoformat(
        chart.chooser(
            selection, "from", options, lambda day: text.month(day, selection.lang), label
        )
    )


def dimensions_of(selection: Selection, metric: str) -> list[str]:
    """Return the dimensions that the metric supports, the branch one level below the selected."""
    below = f"branch_{min(len(selection.branch) + 1, 3)}"
    dimensions = [
        below if dimension == "branch_1" else dimension for dimension in DIMENSIONS_OFFERED
    ]
    return [
        dimension
        for dimension in dimensions
        if METRICS[metric].supports(None if dimension == "class" else DIMENSIONS[dimension])
        and (dimension == "class" or set(queries.labels(dimension, selection.lang)) - {"unknown"})
    ]


def question_of(selection: Selection, metric: str, by: Sequence[str]) -> Question:
    """Return the question of the page without its comparison."""
    return queries.question_for(selection, metric, tuple(by), compare=False)


@st.fragment(parallel=True)
def verdicts(
    selection: Selection,
    question: Question,
    before: date,
    *,
    lead: bool = False,
    moved_only: bool = False,
) -> None:
    """Draw the verdict of each part and of the whole, in a fragment of its own: it takes time.

    With `lead`, draw the sentence as well; with `moved_only`, only the parts that changed
    significantly.
    """
    lang = selection.lang
    dimension = question.by[0]
    names = queries.labels(dimension, lang, selection.scheme)
    top = st.empty()
    spot = st.empty()
    if lead:
        top.html(_lead(selection, question, before))
    with spot:
        st.skeleton(height=72)
    try:
        significance_result = queries.cached_analysis(significance.noise, question, before)
    except UserError as refusal:
        spot.html(f'<p class="lp-note">{html.escape(refusal.text(lang))}</p>')
        return
    if lead:
        top.html(_lead(selection, question, before, significance_result))
    metric = METRICS[question.metric]
    tone = theme_for(is_dark())
    order = {code: place for place, code in enumerate(names)}
    rows = sorted(
        significance_result.parts.to_dict("records"),
        key=lambda row: order.get(row[dimension], len(order)),
    )
    chips = [_chip(say("table.total", lang), significance_result.whole, metric, tone, lang)]
    if moved_only:
        # The sentence already names the whole.
        rows = [row for row in rows if row["verdict"] in ("rise", "fall")]
        quiet = f'<span class="lp-note">{html.escape(say("changes.quiet", lang))}</span>'
        chips = [] if rows else [quiet]
    chips += [
        _chip(names.get(row[dimension], row[dimension]), row, metric, tone, lang)
        for row in rows[:30]
    ]
    how = say(
        "changes.how",
        lang,
        draws=f"{significance_result.draws:,}",
        drawn=f"{significance_result.drawn:,}",
        customers=f"{significance_result.customers:,}",
    )
    spot.html(f'<p class="lp-chips">{"".join(chips)}</p><p class="lp-note">{html.escape(how)}</p>')


def _lead(
    selection: Selection,
    question: Question,
    before: date,
    significance_result: SignificanceResult | None = None,
) -> str:
    about = narrative.context(queries.warehouse().edition, question, selection.lang)
    sentence = html.escape(sentence_of(selection, question, before, significance_result))
    return f'<p class="lp-lead">{sentence}</p><p class="lp-note">{html.escape(about)}</p>'


def _chip(
    name: str, row: Mapping[str, Any] | pd.Series, metric: Metric, tone: Theme, lang: str
) -> str:
    verdict = row["verdict"]
    moved_by = text.change(row["change"], metric.unit, metric.better, lang)
    sure = verdict in ("rise", "fall")
    colour = tone.verdict_colour(moved_by.verdict) if sure else tone.grey
    word = say(f"verdict.{verdict}", lang)
    hint = ""
    if not text.is_missing(row["low"]):
        low, high = (
            text.change(row[end], metric.unit, metric.better, lang).words for end in ("low", "high")
        )
        hint = say("changes.interval", lang, low=low, high=high)
    if not text.is_missing(row["value_low"]):
        low, high = (text.number(row[f"value_{end}"], metric.unit, lang) for end in ("low", "high"))
        hint = "\n".join(filter(None, [hint, say("changes.wilson", lang, low=low, high=high)]))
    change = "" if verdict == "few" else f" {moved_by}"
    return (
        f'<span class="lp-chip" title="{html.escape(hint, quote=True)}" '
        f'style="border-color:{colour}">{html.escape(name)} '
        f'<b style="color:{colour}">{html.escape(word)}</b>{html.escape(change)}</span>'
    )


def sentence_of(
    selection: Selection,
    question: Question,
    before: date,
    significance_result: SignificanceResult | None = None,
) -> str:
    """Return the change in one sentence, or that it is not known."""
    names = queries.labels(question.by[0], selection.lang, selection.scheme)
    try:
        result = queries.cached_analysis(
            attribution.bridge, question.about(by=question.by[:1]), before
        )
    except UserError:
        row, _ = queries.total_row(question.about(by=()), selection.lang)
        if row is None:
            return (
                METRICS[question.metric].name[selection.lang]
                + say("words.colon", selection.lang)
                + say("words.unknown", selection.lang)
            )
        return narrative.level_only(row, question, before, selection.lang)
    return narrative.compose(result, significance_result, names, selection.lang)


def bridge(
    selection: Selection, question: Question, before: date, key: str = "bridge", opens: str = "part"
) -> None:
    """Draw the effects of the parts; a click opens a list.

    With a second dimension the part of the largest cell is expanded, and a click expands another
    one (URL parameter `opens`).
    """
    lang = selection.lang
    with boards.guarded_section(selection, question.metric):
        result = queries.cached_analysis(attribution.bridge, question, before)
        dimension = question.by[0]
        names = queries.labels(dimension, lang, selection.scheme)
        second = len(question.by) == 2

        def down(cell: dict[str, str]) -> None:
            if cell[dimension] and second:
                set_param(**{opens: cell[dimension]})
            elif cell[dimension]:
                drilldown.open_cell(question.metric, cell)

        if second:
            _largest_cell(result, selection)
        _effects_chart(
            selection, key, title(result, names, lang), result, result.parts, dimension, names, down
        )
        caption(say("changes.click_down" if second else "words.click_list", lang))
        if second and len(result.cells):
            code = dict(selection.page_params).get(opens)
            code = code if code in set(result.parts[dimension]) else result.cells.iloc[0][dimension]
            _inside(selection, key, result, code, names.get(code, code))


def _inside(selection: Selection, key: str, result: Bridge, code: str, name: str) -> None:
    lang = selection.lang
    first, dimension = result.question.by
    names = queries.labels(dimension, lang, selection.scheme)
    cells = cells_of(result, code)
    part = result.parts[result.parts[first] == code].iloc[0]
    effect = text.change(
        part["effect"],
        METRICS[result.question.metric].unit,
        METRICS[result.question.metric].better,
        lang,
    )
    top = cells.iloc[0]
    message = say(
        "changes.inside",
        lang,
        name=name,
        effect=effect.words,
        top=names.get(top[dimension], top[dimension]),
        size=text.change(
            top["effect"], METRICS[result.question.metric].unit, "neither", lang
        ).words,
    )

    def down(cell: dict[str, str]) -> None:
        if cell[dimension]:
            drilldown.open_cell(result.question.metric, {first: code, **cell})

    _effects_chart(selection, f"{key}_inside", message, result, cells, dimension, names, down)


def _largest_cell(result: Bridge, selection: Selection) -> None:
    """Draw the title: the cell of both dimensions that changed the metric most."""
    lang = selection.lang
    metric = METRICS[result.question.metric]
    if result.cells is None or result.cells.empty:
        return
    top = result.cells.iloc[0]
    names = [
        queries.labels(dimension, lang, selection.scheme).get(top[dimension], top[dimension])
        for dimension in result.question.by
    ]
    effect = text.change(top["effect"], metric.unit, metric.better, lang)
    section_title(say("changes.largest_cell", lang, cell=" · ".join(names), effect=effect.words))


def _effects_chart(
    selection: Selection,
    key: str,
    message: str,
    result: Bridge,
    parts: pd.DataFrame,
    dimension: str,
    names: Mapping[str, str],
    down: Callable[[dict[str, str]], None],
) -> None:
    metric = METRICS[result.question.metric]
    totals = {
        column: None if parts[column].isna().all() else float(parts[column].sum())
        for column in ("rate_effect", "mix_effect", "effect")
    }
    figure = change_charts.effects(
        parts, totals, metric, dimension, names, selection.lang, dark=is_dark()
    )
    question = result.question.about(by=(dimension,))
    chart.show(
        selection,
        key,
        message,
        figure,
        parts,
        question,
        (dimension,),
        down,
        draw_table=lambda: table(selection, parts, metric, dimension, names, totals),
    )


def table(
    selection: Selection,
    parts: pd.DataFrame,
    metric: Metric,
    dimension: str,
    names: Mapping[str, str],
    totals: Mapping[str, float | None],
) -> None:
    """Draw the values behind the effects, with a row of totals."""
    lang = selection.lang

    def row(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
        few = entry.get("n") is not None and min(entry["n"], entry["n_before"]) < MIN_GROUP_SIZE
        state = say(f"changes.{entry['state']}", lang) if entry.get("state") else ""
        line = {queries.dimension_name(dimension, lang): f"{name} {state}".strip()}
        for half in ("value_before", "value"):
            line[say(f"changes.{half}", lang)] = text.number(entry.get(half), metric.unit, lang)
        for effect in ("rate_effect", "mix_effect", "effect"):
            line[say(f"changes.{effect}", lang)] = text.change(
                entry[effect], metric.unit, metric.better, lang
            ).words
        for half in ("share_before", "share"):
            line[say(f"changes.{half}", lang)] = text.number(entry.get(half), "rate", lang)
        n = entry.get("n")
        line["n"] = "" if n is None else f"{int(entry['n_before']):,} → {int(n):,}"
        if few:
            line["n"] += f" {say('figure.few', lang)}"
        return line

    lines = [
        row(names.get(entry[dimension], entry[dimension]), entry)
        for entry in parts.to_dict("records")
    ]
    lines.append(row(say("table.total", lang), dict(totals)))
    out = pd.DataFrame(lines)
    right = {name: st.column_config.Column(alignment="right") for name in list(out)[1:]}
    st.dataframe(out, hide_index=True, column_config=right, height="content", alt=metric.name[lang])


def title(result: Bridge, names: Mapping[str, str], lang: str) -> str:
    """Return the title of the chart: the change and its largest part."""
    metric = METRICS[result.question.metric]
    dimension = result.question.by[0]
    change = text.change(result.change, metric.unit, metric.better, lang)
    top = result.parts.iloc[0]
    effect = text.change(top["effect"], metric.unit, metric.better, lang)
    return say(
        "changes.title",
        lang,
        metric=metric.name[lang],
        change=change.words,
        top=names.get(top[dimension], top[dimension]),
        effect=effect.words,
    )


def flows(selection: Selection, question: Question, before: date, days: int) -> MigrationQuery:
    """Draw the money bridge of the overdue stock; return the query of its lists."""
    lang = selection.lang
    query = MigrationQuery(question.about("overdue_rate", by=()), before, "late", days=days)
    with boards.guarded_section(selection, "loans"):
        result: Flows = queries.cached_analysis(migration.flows, query)
        steps = [
            Step(
                "opening",
                _step("opening", lang),
                float(result.opening),
                "total",
                _loans(result.loans_before, lang),
            )
        ]
        for term in result.terms.to_dict("records"):
            if term["loans"]:
                kind = "plus" if term["amount"] >= 0 else "minus"
                name = _step(term["term"], lang)
                steps.append(
                    Step(term["term"], name, abs(term["amount"]), kind, _loans(term["loans"], lang))
                )
        steps.append(
            Step(
                "closing",
                _step("closing", lang),
                float(result.closing),
                "total",
                _loans(result.loans, lang),
            )
        )
        message = say(
            "flow.title",
            lang,
            days=days,
            opening=text.number(float(result.opening), "money", lang),
            closing=text.number(float(result.closing), "money", lang),
        )
        figure = contribution_charts.waterfall(steps, lang, dark=is_dark())
        chart.show(
            selection,
            "flows",
            message,
            figure,
            result.terms,
            query.question,
            ("term",),
            move_drilldown.open_move,
            draw_table=lambda: _terms(selection, result),
        )
        caption(say("flow.note", lang))
    return query


def _step(term: str, lang: str) -> str:
    return say(f"flow.{term}", lang)


def _loans(count: int, lang: str) -> str:
    return say("drill.count_loans", lang, n=f"{count:,}")


def _terms(selection: Selection, result: Flows) -> None:
    lang = selection.lang
    rows = [("opening", result.loans_before, float(result.opening))]
    rows += [(row["term"], row["loans"], row["amount"]) for row in result.terms.to_dict("records")]
    rows.append(("closing", result.loans, float(result.closing)))
    heads = (say("flow.term", lang), say("flow.loans", lang), say("flow.amount", lang))
    out = pd.DataFrame(
        [
            (_step(term, lang), f"{loans:,}", text.exact(amount, "money", lang))
            for term, loans, amount in rows
        ],
        columns=list(heads),
    )
    right = {head: st.column_config.Column(alignment="right") for head in heads[1:]}
    st.dataframe(out, hide_index=True, column_config=right, height="content", alt=heads[0])
    caption(say("flow.residual", lang, residual=text.exact(float(result.residual), "money", lang)))
