"""The parts of a customer's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from analytics.grading import facts
from analytics.grading.customer_profile import Card
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.presentation import contribution_charts, export
from analytics.presentation.contribution_charts import Step
from pages.parts.state import queries, rulebook_queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, drilldown, rulebook_tables
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
    """A button per class of the scheme that is looked at: a customer to look at for who has no number at hand."""
    lang = selection.lang
    words = queries.labels("class", lang, selection.scheme)
    found = rulebook_queries.examples(
        queries.warehouse().edition.id, queries.ROW_SCOPE, selection.as_of, selection.scheme
    )

    def take(number: str) -> None:
        st.session_state.customer_number = number

    with st.popover(say("card.examples", lang)):
        for row in found.itertuples():
            st.button(
                f"{words.get(row[1], row[1])} · {row.customer_id}",
                key=f"example_{row[1]}_{lang}",
                type="tertiary",
                on_click=take,
                args=(row.customer_id,),
            )


def who(card: Card, selection: Selection) -> None:
    """Name, number, branch, manager and the figures of the day."""
    lang, row, tree = selection.lang, card.who, queries.branch_tree()
    kinds = queries.labels("customer_kind", lang)
    managers = queries.labels("manager", lang)
    branch = tree[row["branch"]].name(lang) if row["branch"] in tree else row["branch"]
    parts = [
        f"{say('card.number', lang)} {card.customer_id}",
        kinds.get(row["kind"], row["kind"]),
        branch,
        f"{say('card.manager', lang)} {managers.get(row['manager'], row['manager']) or text.NOTHING}",
    ]
    boards.section_title(str(row["name"]))
    boards.caption(" · ".join(str(part) for part in parts if not text.is_missing(part)))
    said = [
        (say("column.loan_balance", lang), text.exact(row["loan_balance"], "money", lang)),
        (say("card.days_past_due", lang), text.number(row["days_past_due"], "days", lang)),
        (say("card.worst_12m", lang), text.number(row["max_days_past_due_12m"], "days", lang)),
        (say("column.deposit_balance", lang), text.exact(row["deposit_balance"], "money", lang)),
        (say("column.products_held", lang), text.number(row["products_held"], "count", lang)),
        (say("card.loans_ever", lang), text.number(row["loans_ever"], "count", lang)),
    ]
    rulebook_tables.table([label for label, _ in said], [[value for _, value in said]])


def classes(card: Card, lang: str) -> None:
    """The class in every scheme, its clauses, the nearest boundaries, and the service that goes with it."""
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


def _why(case: facts.Case, lang: str) -> str:
    """The clauses that gave the class, or the facts without which there is none."""
    if not case.decision.missing:
        return text.listing(list(case.decision.clauses), lang)
    names = [
        case.book.fact_index[name].words(rulebook_tables.rulebook_lang(lang))
        for name in case.decision.missing
    ]
    return say("card.missing", lang, facts=text.listing(names, lang))


def _service(case: facts.Case, short: str) -> str:
    codes = {item.code: item for item in case.book.classes}
    return codes[case.decision.code].service.get(short, "") if case.decision.code in codes else ""


def chosen(card: Card, selection: Selection) -> facts.Case:
    """The case whose reasons are read: of the scheme in the header at first."""
    lang, short = selection.lang, rulebook_tables.rulebook_lang(selection.lang)
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
    card: Card, selection: Selection
) -> Mapping[str, tuple[str, Sequence[str], Mapping[str, str]]]:
    """Scheme → name, codes from best to worst, words: what the history strip draws."""
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


def contribution(card: Card, lang: str) -> None:
    """Twelve months from gross to net, part by part."""
    row = card.who
    boards.section_title(
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


def products(card: Card, selection: Selection) -> None:
    """What the customer holds."""
    lang = selection.lang
    names = queries.labels("product", lang)
    boards.section_title(say("card.products", lang, count=len(card.products)))
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


def listed(kind: str, frame: pd.DataFrame, selection: Selection) -> None:
    """Loans, payments or warnings under their heading."""
    lang = selection.lang
    boards.section_title(say(f"card.{kind}", lang, count=len(frame)))
    if frame.empty:
        return boards.caption(say("card.none", lang))
    columns = {
        name: export.Column(say(f"card.{name}", lang), _UNITS.get(name, "text")) for name in frame
    }
    told = drilldown.with_labels(frame, selection)
    for name in ("code", "what", "result", "payment_kind"):
        if name in told:
            told[name] = [
                text.NOTHING if text.is_missing(code) else say(f"card.{name}_{code}", lang)
                for code in told[name]
            ]
    right = {
        c.header: st.column_config.Column(alignment="right")
        for c in columns.values()
        if c.unit not in ("text", "date")
    }
    st.dataframe(
        drilldown.format_table(told, columns, lang),
        hide_index=True,
        height="content" if len(frame) <= 12 else 430,
        alt=say(f"card.{kind}", lang, count=len(frame)),
        column_config=right,
    )
