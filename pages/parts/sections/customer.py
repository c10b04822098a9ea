"""The sections of the customer page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analytics.grading import facts
from analytics.grading.customer_profile import CustomerProfile
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import contribution_charts, export
from analytics.presentation.contribution_charts import Step
from pages.parts.state import queries, rulebook_queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import chart, drilldown, rulebook_tables
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

_UNITS = {
    "principal": "money",
    "balance": "money",
    "overdue_amount": "money",
    "amount": "money",
    "days_past_due": "days",
    "rate": "rate",
    "disbursed_on": "date",
    "matures_on": "date",
    "closed_on": "date",
    "paid_on": "date",
    "day": "date",
    "handled_on": "date",
}


def examples(selection: Selection) -> None:
    """Draw a button per class of the selected scheme, each with an example customer."""
    lang = selection.lang
    words = queries.labels("class", lang, selection.scheme)
    customers = rulebook_queries.examples(
        queries.warehouse().edition.id, queries.ROW_SCOPE, selection.as_of, selection.scheme
    )

    def take(number: str) -> None:
        st.session_state.customer_number = number

    with st.popover(say("card.examples", lang)):
        for row in customers.itertuples():
            st.button(
                f"{words.get(row[1], row[1])} · {row.customer_id}",
                key=f"example_{row[1]}_{lang}",
                type="tertiary",
                on_click=take,
                args=(row.customer_id,),
            )


def identity(card: CustomerProfile, selection: Selection) -> None:
    """Draw name, number, branch, manager and the main figures."""
    lang = selection.lang
    row = card.who
    tree = queries.branch_tree()
    kinds = queries.labels("customer_kind", lang)
    manager = queries.labels("manager", lang).get(row["manager"], row["manager"])
    branch = tree[row["branch"]].name(lang) if row["branch"] in tree else row["branch"]
    parts = [
        f"{say('card.number', lang)} {card.customer_id}",
        kinds.get(row["kind"], row["kind"]),
        branch,
        f"{say('card.manager', lang)} {manager or text.NOTHING}",
    ]
    section_title(str(row["name"]))
    caption(" · ".join(str(part) for part in parts if not text.is_missing(part)))
    figures = [
        (say("column.loan_balance", lang), text.exact(row["loan_balance"], "money", lang)),
        (say("card.days_past_due", lang), text.number(row["days_past_due"], "days", lang)),
        (say("card.worst_12m", lang), text.number(row["max_days_past_due_12m"], "days", lang)),
        (say("column.deposit_balance", lang), text.exact(row["deposit_balance"], "money", lang)),
        (say("column.products_held", lang), text.number(row["products_held"], "count", lang)),
        (say("card.loans_ever", lang), text.number(row["loans_ever"], "count", lang)),
    ]
    rulebook_tables.table([label for label, _ in figures], [[value for _, value in figures]])


def classes(card: CustomerProfile, lang: str) -> None:
    """Draw the class in every scheme with its clauses, nearest boundaries and service."""
    short = rulebook_tables.rulebook_lang(lang)
    rows = [
        (
            case.book.names[short] + (f" {case.number}" if case.book.grain == "loan" else ""),
            case.decision.names[short],
            _why(case, lang),
            rulebook_tables.boundary(case.book, case.decision.boundary.get("up"), lang),
            rulebook_tables.boundary(case.book, case.decision.boundary.get("down"), lang),
            _service(case, short),
        )
        for case in card.cases
    ]
    rulebook_tables.table(
        [
            say(f"card.{head}", lang)
            for head in ("scheme", "class", "clauses", "up", "down", "service")
        ],
        rows,
    )


def _why(case: facts.GradingResult, lang: str) -> str:
    """Return the clauses that gave the class, or the facts that are missing for one."""
    if not case.decision.missing:
        return text.listing(list(case.decision.clauses), lang)
    names = [
        case.book.fact_index[name].words(rulebook_tables.rulebook_lang(lang))
        for name in case.decision.missing
    ]
    return say("card.missing", lang, facts=text.listing(names, lang))


def _service(case: facts.GradingResult, short: str) -> str:
    codes = {item.code: item for item in case.book.classes}
    return codes[case.decision.code].service.get(short, "") if case.decision.code in codes else ""


def case_picker(card: CustomerProfile, selection: Selection) -> facts.GradingResult:
    """Draw a choice of the case to explain; the selected scheme's is the default."""
    lang = selection.lang
    short = rulebook_tables.rulebook_lang(selection.lang)
    own = next((i for i, case in enumerate(card.cases) if case.book.id == selection.scheme), 0)
    at = st.selectbox(
        say("card.choose", lang),
        range(len(card.cases)),
        own,
        key=f"case_{selection.scheme}_{lang}",
        width=420,
        format_func=lambda i: (
            card.cases[i].book.names[short]
            + (f" {card.cases[i].number}" if card.cases[i].book.grain == "loan" else "")
        ),
    )
    return card.cases[at]


def ladders(
    card: CustomerProfile, selection: Selection
) -> Mapping[str, tuple[str, Sequence[str], Mapping[str, str]]]:
    """Return scheme → name, codes from best to worst, words; for the history chart."""
    schemes = queries.schemes()
    return {
        scheme: (
            queries.scheme_name(scheme, selection.lang),
            schemes[scheme].class_codes[:-1],
            queries.labels("class", selection.lang, scheme),
        )
        for scheme in schemes
        if scheme in card.history
    }


def contribution(card: CustomerProfile, lang: str) -> None:
    """Draw twelve months of contribution from gross to net."""
    row = card.who
    section_title(
        say("card.contribution", lang, net=text.exact(row["contribution_net_12m"], "money", lang))
    )
    earned = ("interest", "fees", "margin")
    steps = [Step(name, say(f"card.{name}", lang), float(row[f"{name}_12m"])) for name in earned]
    steps.append(
        Step("gross", say("card.gross", lang), float(row["contribution_gross_12m"]), "total")
    )
    steps += [
        Step(name, say(f"card.{name}", lang), float(row[f"{name}_12m"]), "minus")
        for name in ("funding_cost", "expected_loss", "operating_cost")
    ]
    steps.append(Step("net", say("card.net", lang), float(row["contribution_net_12m"]), "total"))
    chart.draw(
        contribution_charts.waterfall(steps, lang, dark=is_dark()),
        f"worth_{lang}",
        say("card.gross", lang),
    )


def products(card: CustomerProfile, selection: Selection) -> None:
    """Draw the products that the customer holds."""
    lang = selection.lang
    names = queries.labels("product", lang)
    section_title(say("card.products", lang, count=len(card.products)))
    rulebook_tables.table(
        [say(f"card.{head}", lang) for head in ("holding", "count", "amount")],
        [
            (
                say(f"card.holding_{row.kind}", lang)
                + ("" if text.is_missing(row.product) else " · " + _product(row, names, lang)),
                f"{row.held:,}",
                text.exact(row.amount, "money", lang),
            )
            for row in card.products.itertuples()
        ],
        right=(1, 2),
    )


def _product(row, names: Mapping[str, str], lang: str) -> str:
    return (
        say(f"card.income_{row.product}", lang)
        if row.kind == "service"
        else names.get(row.product, row.product)
    )


def history_table(kind: str, frame: pd.DataFrame, selection: Selection) -> None:
    """Draw loans, payments or warnings under their title."""
    lang = selection.lang
    section_title(say(f"card.{kind}", lang, count=len(frame)))
    if frame.empty:
        return caption(say("card.none", lang))
    columns = {
        name: export.ExportColumn(say(f"card.{name}", lang), _UNITS.get(name, "text"))
        for name in frame
    }
    labelled = drilldown.with_labels(frame, selection)
    for name in ("code", "what", "result", "payment_kind"):
        if name in labelled:
            labelled[name] = [
                text.NOTHING if text.is_missing(code) else say(f"card.{name}_{code}", lang)
                for code in labelled[name]
            ]
    right = {
        c.header: st.column_config.Column(alignment="right")
        for c in columns.values()
        if c.unit not in ("text", "date")
    }
    st.dataframe(
        drilldown.format_table(labelled, columns, lang),
        hide_index=True,
        height="content" if len(frame) <= 12 else 430,
        alt=say(f"card.{kind}", lang, count=len(frame)),
        column_config=right,
    )
