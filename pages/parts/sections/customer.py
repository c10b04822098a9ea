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
from pages.parts.widgets import chart, list_table, rulebook_tables
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

    def show_customer(number: str) -> None:
        st.session_state.customer_number = number

    with st.popover(say("card.examples", lang)):
        for row in customers.to_dict("records"):
            code = row["class"]
            st.button(
                f"{words.get(code, code)} · {row['customer_id']}",
                key=f"example_{code}_{lang}",
                type="tertiary",
                on_click=show_customer,
                args=(row["customer_id"],),
            )


def identity(profile: CustomerProfile, selection: Selection) -> None:
    """Draw name, number, branch, manager and the main figures."""
    lang = selection.lang
    row = profile.who
    tree = queries.branch_tree()
    kinds = queries.labels("customer_kind", lang)
    manager = queries.labels("manager", lang).get(row["manager"], row["manager"])
    branch = tree[row["branch"]].name(lang) if row["branch"] in tree else row["branch"]
    parts = [
        f"{say('card.number', lang)} {profile.customer_id}",
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


def classes(profile: CustomerProfile, lang: str) -> None:
    """Draw the class in every scheme with its clauses, nearest boundaries and service."""
    rows = [
        (
            _case_name(case, lang),
            case.decision.names[lang],
            _why(case, lang),
            rulebook_tables.boundary(case.book, case.decision.nearest_changes.get("up"), lang),
            rulebook_tables.boundary(case.book, case.decision.nearest_changes.get("down"), lang),
            _service(case, lang),
        )
        for case in profile.cases
    ]
    rulebook_tables.table(
        [
            say(f"card.{head}", lang)
            for head in ("scheme", "class", "clauses", "up", "down", "service")
        ],
        rows,
    )


def _case_name(case: facts.GradingResult, lang: str) -> str:
    """Return the scheme, with the number of the loan where loans are graded."""
    name = case.book.names[lang]
    return f"{name} {case.number}" if case.book.grain == "loan" else name


def _why(case: facts.GradingResult, lang: str) -> str:
    """Return the clauses that gave the class, or the facts that are missing for one."""
    if not case.decision.missing:
        return text.listing(list(case.decision.clauses), lang)
    names = [case.book.fact_index[name].words(lang) for name in case.decision.missing]
    return say("card.missing", lang, facts=text.listing(names, lang))


def _service(case: facts.GradingResult, lang: str) -> str:
    codes = {item.code: item for item in case.book.classes}
    return codes[case.decision.code].service.get(lang, "") if case.decision.code in codes else ""


def case_picker(profile: CustomerProfile, selection: Selection) -> facts.GradingResult:
    """Draw a choice of the case to explain; the selected scheme's is the default."""
    lang = selection.lang
    schemes = [case.book.id for case in profile.cases]
    default = schemes.index(selection.scheme) if selection.scheme in schemes else 0
    place = st.selectbox(
        say("card.choose", lang),
        range(len(profile.cases)),
        default,
        key=f"case_{selection.scheme}_{lang}",
        width=420,
        format_func=lambda place: _case_name(profile.cases[place], lang),
    )
    return profile.cases[place]


def ladders(
    profile: CustomerProfile, selection: Selection
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
        if scheme in profile.history
    }


def contribution(profile: CustomerProfile, lang: str) -> None:
    """Draw twelve months of contribution from gross to net, or why there is none."""
    if profile.contribution_refusal:
        section_title(say("card.gross", lang))
        caption(profile.contribution_refusal[lang])
        return
    row = profile.who
    section_title(
        say("card.contribution", lang, net=text.exact(row["contribution_net_12m"], "money", lang))
    )
    income = ("interest", "fees", "margin")
    steps = [Step(name, say(f"card.{name}", lang), float(row[f"{name}_12m"])) for name in income]
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


def products(profile: CustomerProfile, selection: Selection) -> None:
    """Draw the products that the customer holds."""
    lang = selection.lang
    names = queries.labels("product", lang)
    section_title(say("card.products", lang, count=len(profile.products)))
    rulebook_tables.table(
        [say(f"card.{head}", lang) for head in ("holding", "count", "amount")],
        [
            (
                _holding(row["kind"], row["product"], names, lang),
                f"{row['held']:,}",
                text.exact(row["amount"], "money", lang),
            )
            for row in profile.products.to_dict("records")
        ],
        right=(1, 2),
    )


def _holding(kind: str, product: str | None, names: Mapping[str, str], lang: str) -> str:
    """Return what a customer holds: the kind, with the product where it is known."""
    words = say(f"card.holding_{kind}", lang)
    if product is None or text.is_missing(product):
        return words
    if kind == "service":
        return f"{words} · {say(f'card.income_{product}', lang)}"
    return f"{words} · {names.get(product, product)}"


def history_table(kind: str, frame: pd.DataFrame, selection: Selection) -> None:
    """Draw loans, payments or warnings under their title."""
    lang = selection.lang
    section_title(say(f"card.{kind}", lang, count=len(frame)))
    if frame.empty:
        caption(say("card.none", lang))
        return
    columns = {
        name: export.ExportColumn(say(f"card.{name}", lang), _UNITS.get(name, "text"))
        for name in frame
    }
    table = list_table.with_labels(frame, selection)
    for name in ("code", "what", "result", "payment_kind"):
        if name in table:
            table[name] = [
                text.NOTHING if text.is_missing(code) else say(f"card.{name}_{code}", lang)
                for code in table[name]
            ]
    st.dataframe(
        list_table.format_table(table, columns, lang),
        hide_index=True,
        height="content" if len(frame) <= 12 else 430,
        alt=say(f"card.{kind}", lang, count=len(frame)),
        column_config=list_table.number_columns(columns),
    )
