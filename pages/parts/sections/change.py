"""Why a figure changed, on a page: the sentence, the verdict chips, the effects of the parts, the money bridge."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import date

import pandas as pd
import streamlit as st

from analytics.analysis import attribution, migration, narrative, significance
from analytics.analysis.attribution import Bridge, cells_of
from analytics.analysis.migration import Flows, Moves
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE, SPLITS
from analytics.metrics.query import Question
from analytics.metrics.sql_builder import COMPARISONS
from analytics.presentation import change_charts, contribution_charts
from analytics.presentation.contribution_charts import Step
from analytics.presentation.theme import theme_for
from data.dates import month_end
from data.errors import UserError
from pages.parts.state import queries
from pages.parts.state.selection import Selection, set_param
from pages.parts.widgets import boards, chart, drilldown, move_drilldown
from pages.parts.widgets.theme import is_dark

EVERY = (
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
    """The month end that the page compares with: the header's, last month where the header compares with none."""
    return month_end(
        date.fromisoformat(selection.as_of), -COMPARISONS[selection.comparison or "mom"]
    )


def month_picker(selection: Selection) -> date:
    """Any earlier month end, kept in the URL; the header's comparison unless one is picked."""
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


def splits_of(selection: Selection, metric: str) -> list[str]:
    """The splits by which this metric may be told apart, the branch at the level below the chosen one."""
    below = f"branch_{min(len(selection.branch) + 1, 3)}"
    wanted = [below if split == "branch_1" else split for split in EVERY]
    return [
        split
        for split in wanted
        if METRICS[metric].may_split(None if split == "class" else SPLITS[split])
        and (split == "class" or set(queries.labels(split, selection.lang)) - {"unknown"})
    ]


def asked_of(selection: Selection, metric: str, by: Sequence[str]) -> Question:
    """The question of the page without its comparison."""
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
    """The word for each part, and of the whole; with `lead`, the sentence that holds it; with `moved_only`, beside it
    only the parts that really moved. Drawn by itself: it takes time."""
    lang, split = selection.lang, question.by[0]
    names = queries.labels(split, lang, selection.scheme)
    top, spot = st.empty(), st.empty()
    if lead:
        top.html(_lead(selection, question, before))
    with spot:
        st.skeleton(height=72)
    try:
        judged = queries.cached_analysis(significance.noise, question, before)
    except UserError as refusal:
        spot.html(f'<p class="lp-note">{html.escape(refusal.text(lang))}</p>')
        return
    if lead:
        top.html(_lead(selection, question, before, judged))
    metric, tone = METRICS[question.metric], theme_for(is_dark())
    order = {code: place for place, code in enumerate(names)}
    rows = sorted(
        judged.parts.to_dict("records"), key=lambda row: order.get(row[split], len(order))
    )
    chips = [_chip(say("table.total", lang), judged.whole, metric, tone, lang)]
    if moved_only:
        # The sentence has the whole; beside it only those parts that really moved are news.
        rows = [row for row in rows if row["verdict"] in ("rise", "fall")]
        chips = (
            []
            if rows
            else [f'<span class="lp-note">{html.escape(say("changes.quiet", lang))}</span>']
        )
    chips += [
        _chip(names.get(row[split], row[split]), row, metric, tone, lang) for row in rows[:30]
    ]
    how = say(
        "changes.how",
        lang,
        draws=f"{judged.draws:,}",
        drawn=f"{judged.drawn:,}",
        customers=f"{judged.customers:,}",
    )
    spot.html(f'<p class="lp-chips">{"".join(chips)}</p><p class="lp-note">{html.escape(how)}</p>')


def _lead(selection: Selection, question: Question, before: date, judged=None) -> str:
    about = narrative.context(queries.warehouse().edition, question, selection.lang)
    said = html.escape(sentence_of(selection, question, before, judged))
    return f'<p class="lp-lead">{said}</p><p class="lp-note">{html.escape(about)}</p>'


def _chip(name: str, row, metric, tone, lang: str) -> str:
    verdict = row["verdict"]
    moved_by = text.change(row["change"], metric.unit, metric.better, lang)
    sure = verdict in ("rise", "fall")
    colour = tone.of(moved_by.verdict) if sure else tone.grey
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
        f'<span class="lp-chip" title="{html.escape(hint, quote=True)}" style="border-color:{colour}">'
        f'{html.escape(name)} <b style="color:{colour}">{html.escape(word)}</b>{html.escape(change)}</span>'
    )


def sentence_of(selection: Selection, question: Question, before: date, judged=None) -> str:
    """The change in one sentence, or that it cannot be told."""
    names = queries.labels(question.by[0], selection.lang, selection.scheme)
    try:
        found = queries.cached_analysis(
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
        return narrative.short(row, question, before, selection.lang)
    return narrative.told(found, judged, names, selection.lang)


def bridge(
    selection: Selection, question: Question, before: date, key: str = "bridge", opens: str = "part"
) -> None:
    """The effects of the parts. With a second split the part of the largest cell stands open; a click opens another one
    (pick `opens`). Without, a click opens the list."""
    lang = selection.lang
    with boards.guarded_section(selection, question.metric):
        found = queries.cached_analysis(attribution.bridge, question, before)
        split = question.by[0]
        names = queries.labels(split, lang, selection.scheme)
        second = len(question.by) == 2

        def down(cell: dict[str, str]) -> None:
            if cell[split] and second:
                set_param(**{opens: cell[split]})
            elif cell[split]:
                drilldown.open_cell(question.metric, cell)

        if second:
            _largest(found, selection)
        _drawn(selection, key, title(found, names, lang), found, found.parts, split, names, down)
        boards.caption(say("changes.click_down" if second else "words.click_list", lang))
        if second and len(found.cells):
            code = dict(selection.page_params).get(opens)
            code = code if code in set(found.parts[split]) else found.cells.iloc[0][split]
            _inside(selection, key, found, code, names.get(code, code))


def _inside(selection: Selection, key: str, found: Bridge, code: str, name: str) -> None:
    lang, (first, split) = selection.lang, found.question.by
    names, cells = queries.labels(split, lang, selection.scheme), cells_of(found, code)
    part = found.parts[found.parts[first] == code].iloc[0]
    effect = text.change(
        part["effect"],
        METRICS[found.question.metric].unit,
        METRICS[found.question.metric].better,
        lang,
    )
    top = cells.iloc[0]
    said = say(
        "changes.inside",
        lang,
        name=name,
        effect=effect.words,
        top=names.get(top[split], top[split]),
        size=text.change(top["effect"], METRICS[found.question.metric].unit, "neither", lang).words,
    )

    def down(cell: dict[str, str]) -> None:
        if cell[split]:
            drilldown.open_cell(found.question.metric, {first: code, **cell})

    _drawn(selection, f"{key}_inside", said, found, cells, split, names, down)


def _largest(found: Bridge, selection: Selection) -> None:
    """The single cell of both splits that moved the figure most."""
    lang, metric = selection.lang, METRICS[found.question.metric]
    if found.cells.empty:
        return
    top = found.cells.iloc[0]
    names = [
        queries.labels(split, lang, selection.scheme).get(top[split], top[split])
        for split in found.question.by
    ]
    effect = text.change(top["effect"], metric.unit, metric.better, lang)
    boards.section_title(
        say("changes.largest_cell", lang, cell=" · ".join(names), effect=effect.words)
    )


def _drawn(
    selection: Selection,
    key: str,
    said: str,
    found: Bridge,
    parts: pd.DataFrame,
    split: str,
    names,
    down,
) -> None:
    metric = METRICS[found.question.metric]
    totals = {
        column: None if parts[column].isna().all() else float(parts[column].sum())
        for column in ("rate_effect", "mix_effect", "effect")
    }
    figure = change_charts.effects(
        parts, totals, metric, split, names, selection.lang, dark=is_dark()
    )
    question = found.question.about(by=(split,))
    chart.show(
        selection,
        key,
        said,
        figure,
        parts,
        question,
        (split,),
        down,
        draw_table=lambda: table(selection, parts, metric, split, names, totals),
    )


def table(selection: Selection, parts: pd.DataFrame, metric, split: str, names, totals) -> None:
    """The figures behind the effects, with a row of sums."""
    lang = selection.lang

    def row(name: str, entry) -> dict[str, str]:
        few = entry.get("n") is not None and min(entry["n"], entry["n_before"]) < MIN_GROUP_SIZE
        state = say(f"changes.{entry['state']}", lang) if entry.get("state") else ""
        told = {queries.dimension_name(split, lang): f"{name} {state}".strip()}
        for half in ("value_before", "value"):
            told[say(f"changes.{half}", lang)] = text.number(entry.get(half), metric.unit, lang)
        for effect in ("rate_effect", "mix_effect", "effect"):
            told[say(f"changes.{effect}", lang)] = text.change(
                entry[effect], metric.unit, metric.better, lang
            ).words
        for half in ("share_before", "share"):
            told[say(f"changes.{half}", lang)] = text.number(entry.get(half), "rate", lang)
        n = entry.get("n")
        told["n"] = "" if n is None else f"{int(entry['n_before']):,} → {int(n):,}"
        if few:
            told["n"] += f" {say('figure.few', lang)}"
        return told

    lines = [
        row(names.get(entry[split], entry[split]), entry) for entry in parts.to_dict("records")
    ]
    lines.append(row(say("table.total", lang), dict(totals)))
    out = pd.DataFrame(lines)
    right = {name: st.column_config.Column(alignment="right") for name in list(out)[1:]}
    st.dataframe(out, hide_index=True, column_config=right, height="content", alt=metric.name[lang])


def title(found: Bridge, names, lang: str) -> str:
    """The message of the chart: the change and its largest part."""
    metric, split = METRICS[found.question.metric], found.question.by[0]
    change = text.change(found.change, metric.unit, metric.better, lang)
    top = found.parts.iloc[0]
    effect = text.change(top["effect"], metric.unit, metric.better, lang)
    return say(
        "changes.title",
        lang,
        metric=metric.name[lang],
        change=change.words,
        top=names.get(top[split], top[split]),
        effect=effect.words,
    )


def flows(selection: Selection, question: Question, before: date, days: int) -> Moves:
    """The money bridge of the overdue stock; a click opens the loans of a term. Gives what the list needs."""
    lang = selection.lang
    asked = Moves(question.about("overdue_rate", by=()), before, "late", days=days)
    with boards.guarded_section(selection, "loans"):
        found: Flows = queries.cached_analysis(migration.flows, asked)
        steps = [
            Step(
                "opening",
                _step("opening", lang),
                float(found.opening),
                "total",
                _loans(found.loans_before, lang),
            )
        ]
        for term in found.terms.to_dict("records"):
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
                float(found.closing),
                "total",
                _loans(found.loans, lang),
            )
        )
        said = say(
            "flow.title",
            lang,
            days=days,
            opening=text.number(float(found.opening), "money", lang),
            closing=text.number(float(found.closing), "money", lang),
        )
        figure = contribution_charts.waterfall(steps, lang, dark=is_dark())
        chart.show(
            selection,
            "flows",
            said,
            figure,
            found.terms,
            asked.question,
            ("term",),
            move_drilldown.open_move,
            draw_table=lambda: _terms(selection, found),
        )
        boards.caption(say("flow.note", lang))
    return asked


def _step(term: str, lang: str) -> str:
    return say(f"flow.{term}", lang)


def _loans(count: int, lang: str) -> str:
    return say("drill.count_loans", lang, n=f"{count:,}")


def _terms(selection: Selection, found: Flows) -> None:
    lang = selection.lang
    rows = [("opening", found.loans_before, float(found.opening))]
    rows += [(row["term"], row["loans"], row["amount"]) for row in found.terms.to_dict("records")]
    rows.append(("closing", found.loans, float(found.closing)))
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
    boards.caption(
        say("flow.residual", lang, residual=text.exact(float(found.residual), "money", lang))
    )
