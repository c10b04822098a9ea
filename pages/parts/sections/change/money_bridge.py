"""The money bridge of the overdue stock: from the opening to the closing balance."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st

from analytics.analysis import migration
from analytics.analysis.migration import MigrationQuery, OverdueRollforward
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.question import Question
from analytics.presentation import contribution_charts
from analytics.presentation.contribution_charts import Step
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, move_drilldown, tables
from pages.parts.widgets.text import caption
from pages.parts.widgets.theme import is_dark


def show(selection: Selection, question: Question, before: date, days: int) -> MigrationQuery:
    """Draw the money bridge of the overdue stock; return the query of its lists.

    A loan is overdue from more than `days` days past due.
    """
    lang = selection.lang
    query = MigrationQuery(question.with_changes("overdue_rate", by=()), before, "late", days=days)
    with boards.guarded_section(selection, "loans"):
        flows: OverdueRollforward = queries.cached_analysis(migration.overdue_rollforward, query)
        title = say(
            "flow.title",
            lang,
            days=days,
            opening=text.number(float(flows.opening), "money", lang),
            closing=text.number(float(flows.closing), "money", lang),
        )
        figure = contribution_charts.waterfall(_steps(flows, lang), lang, dark=is_dark())
        chart.show(
            selection,
            chart.Chart(
                "flows",
                title,
                figure=figure,
                answer=flows.terms,
                question=query.question,
                dimensions=("term",),
                on_click=move_drilldown.open_move,
                draw_table=lambda: _table(flows, lang),
            ),
        )
        caption(say("flow.note", lang))
    return query


def _steps(flows: OverdueRollforward, lang: str) -> list[Step]:
    """Return the steps of the waterfall; a term without loans has none."""
    steps = [_total("opening", float(flows.opening), flows.loans_before, lang)]
    for row in flows.terms.to_dict("records"):
        if row["loans"]:
            kind = "plus" if row["amount"] >= 0 else "minus"
            name = _term_name(row["term"], lang)
            note = _loan_count(row["loans"], lang)
            steps.append(Step(row["term"], name, abs(row["amount"]), kind, note))
    steps.append(_total("closing", float(flows.closing), flows.loans, lang))
    return steps


def _total(term: str, amount: float, loans: int, lang: str) -> Step:
    return Step(term, _term_name(term, lang), amount, "total", _loan_count(loans, lang))


def _term_name(term: str, lang: str) -> str:
    return say(f"flow.{term}", lang)


def _loan_count(count: int, lang: str) -> str:
    return say("drill.count_loans", lang, n=f"{count:,}")


def _table(flows: OverdueRollforward, lang: str) -> None:
    """Draw every term with its loans and exact amount (CNY), and what the terms do not explain."""
    rows = [("opening", flows.loans_before, float(flows.opening))]
    rows += [(row["term"], row["loans"], row["amount"]) for row in flows.terms.to_dict("records")]
    rows.append(("closing", flows.loans, float(flows.closing)))
    currency = queries.currency_unit(lang)
    heads = [say(f"flow.{head}", lang, currency=currency) for head in ("term", "loans", "amount")]
    frame = pd.DataFrame(
        [
            (_term_name(term, lang), f"{loans:,}", text.exact(amount, "money", lang))
            for term, loans, amount in rows
        ],
        columns=heads,
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config=tables.right_aligned(heads[1:]),
        height="content",
        alt=heads[0],
    )
    residual = text.exact(float(flows.residual), "money", lang)
    caption(say("flow.residual", lang, residual=residual, currency=currency))
