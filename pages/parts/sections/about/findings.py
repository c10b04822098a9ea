"""What the loads found in the deliveries: the board of the data page, the line of the overview."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from data.messages import effect_in, note_in
from pages.parts.state import reports
from pages.parts.widgets import tables
from pages.parts.widgets.text import caption, section_title

_HEADS = (
    "as_of",
    "table",
    "finding",
    "count",
    "balance",
    "changes",
    "accepted_by",
    "places",
)
_PLACE_HEADS = ("id", "day", "content", "amount")

Row = Mapping[Hashable, Any]


def board(lang: str) -> None:
    """Draw every remark of the loads, those let pass first, and the places of one of them."""
    findings = _in_order(reports.findings())
    hold_count = int((findings["accepted_by"] != "").sum())
    title = "data.findings" if len(findings) else "data.nothing_found"
    section_title(say(title, lang, count=len(findings), held=hold_count))
    if findings.empty:
        return
    records = findings.to_dict("records")
    rows = [_row(record, lang) for record in records]
    alt = say("data.finding", lang)
    right = ("count", "balance")
    tables.plain("data", _HEADS, rows, alt, lang, right=right, height="content")
    records_with_list = [record for record in records if record["has_list"]]
    if records_with_list:
        _place_list(records_with_list, lang)


def held_sentence(lang: str) -> str:
    """Say what the check of the books held and a person let pass."""
    holds = _held(lang)
    if not holds:
        return say("data.books_clean", lang)
    return say("data.books_held", lang, list=text.listing(holds, lang))


def passed_line(lang: str) -> None:
    """Draw one line where something was let pass, nothing otherwise."""
    findings = reports.findings()
    names = findings.loc[findings["accepted_by"] != "", "accepted_by"]
    if len(names):
        who = text.listing(sorted(set(names)), lang)
        caption(say("data.overview_held", lang, names=who, count=len(names)))


def _held(lang: str) -> list[str]:
    findings = reports.findings()
    return [
        say(
            "data.held_by",
            lang,
            table=record["table"],
            finding=note_in(record["code"], lang),
            count=text.number(record["count"], "count", lang),
            name=record["accepted_by"],
        )
        for record in findings[findings["accepted_by"] != ""].to_dict("records")
    ]


def _in_order(findings: pd.DataFrame) -> pd.DataFrame:
    """Put what was let pass first, then what has places, each in the order of the loads."""
    order = pd.DataFrame(
        {"is_free": findings["accepted_by"] == "", "is_plain": ~findings["has_list"].astype(bool)}
    )
    return findings.loc[order.sort_values(["is_free", "is_plain"], kind="stable").index]


def _row(record: Row, lang: str) -> tuple[str, ...]:
    return (
        str(record["as_of"])[:10],
        record["table"],
        _name(record, lang),
        text.number(record["count"], "count", lang),
        text.exact(record["balance"], "money", lang),
        effect_in(record["code"], lang),
        record["accepted_by"],
        text.listing(record["places"], lang),
    )


def _name(record: Row, lang: str) -> str:
    """Return the words of a remark, with the column that it is about."""
    words = note_in(record["code"], lang)
    return f"{words} ({record['column']})" if record["column"] else words


@st.fragment
def _place_list(records: Sequence[Row], lang: str) -> None:
    """Draw the choice of a finding, and its places."""

    def label(number: int) -> str:
        record = records[number]
        return f"{str(record['as_of'])[:10]} {record['table']}: {_name(record, lang)}"

    choice = st.selectbox(
        say("data.open_list", lang),
        range(len(records)),
        index=None,
        placeholder=say("data.choose", lang),
        format_func=label,
        key=f"finding_{lang}",
    )
    if choice is None:
        return
    record = records[choice]
    places = reports.finding_places(record["delivery"], record["table"], record["code"])
    rows = [
        (
            place["id"] or text.NOTHING,
            str(place["day"])[:10],
            place["value"] or text.NOTHING,
            text.exact(place["amount"], "money", lang),
        )
        for place in places.to_dict("records")
    ]
    tables.plain("data", _PLACE_HEADS, rows, label(choice), lang, right=("amount",))
    caption(say("data.listed", lang, count=text.number(len(rows), "count", lang)))
