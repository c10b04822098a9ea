"""The loans or customers behind a move: one cell of a matrix or one term of the money bridge, page by page, masked."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping

import streamlit as st

from analytics import exports, moves, text
from analytics.buckets import sets
from analytics.moves import Moves
from analytics.text import say
from data.engine import Refused
from pages.parts import bank, choice, drill, header
from pages.parts.choice import Choice


def open_move(picked: Mapping[str, str]) -> None:
    """Open the list behind {"term": …} or {"before": …, "after": …}. For callbacks."""
    choice.pick(moved="~".join(f"{side}:{code}" for side, code in picked.items()))


def close() -> None:
    """Close the list. For callbacks."""
    st.session_state.drill_closed = st.session_state.get("drill_closed", 0) + 1
    choice.pick(moved=None)


def show(here: Choice, asked: Moves) -> None:
    """The open list, if one is open. Call it last."""
    told = dict(here.picks).get("moved", "")
    picked = dict(part.split(":", 1) for part in told.split("~") if ":" in part)
    # A page holds one dialog: the frame's own list goes first.
    if picked and set(picked) <= {"term", "before", "after"} and not drill.opened(here):
        st.dialog(header.plain(_name(here, asked, picked)), width="large", on_dismiss=close)(_list)(here, asked, picked)


def state_names(here: Choice, asked: Moves) -> dict[str, str]:
    """Code → words of every state a move can start or end in."""
    lang = here.lang
    if asked.by == "bucket":
        names = dict(sets()[asked.buckets].labels(lang))
    elif asked.by == "late":
        names = {code: say(f"moved.{code}", lang) for code in ("late", "current")}
    else:
        names = bank.labels("class", lang, asked.question.scheme)
    outside = (moves.JOINED, moves.MOVED_IN, *moves.EXITS)
    return names | {code: say(f"moved.{code}", lang) for code in outside}


def _name(here: Choice, asked: Moves, picked: Mapping[str, str]) -> str:
    if "term" in picked:
        known = ("opening", *moves.TERMS, "closing")
        return say(f"flow.{picked['term']}", here.lang) if picked["term"] in known else picked["term"][:40]
    names = state_names(here, asked)
    return " → ".join(names.get(picked[side], picked[side][:40]) for side in ("before", "after") if side in picked)


def _list(here: Choice, asked: Moves, picked: Mapping[str, str]) -> None:
    lang = here.lang
    try:
        total = bank.analysed("moves.counted", asked, picked)
        of_loans = asked.of_loans or "term" in picked
        counted = say(f"drill.count_{'loans' if of_loans else 'customers'}", lang, n=f"{total:,}")
        st.html(f'<p class="lp-note">{html.escape(counted)} · {html.escape(say("drill.masked", lang))}</p>')
        pages, at = max(1, math.ceil(total / drill.PAGE)), 1
        if pages > 1:
            at = st.pagination(pages, key=f"moved_page_{'_'.join(picked.values())}")
        lines = bank.analysed("moves.listed", asked, picked, drill.PAGE, (at - 1) * drill.PAGE)
    except Refused as refusal:
        st.html(f'<p class="lp-note">{html.escape(text.half(refusal, lang))}</p>')
        return
    words = drill.columns(lines, lang)
    right = {
        c.header: st.column_config.Column(alignment="right") for c in words.values() if c.unit not in ("text", "date")
    }
    table = drill.printed(_worded(lines, here, asked), words, lang)
    st.dataframe(table, hide_index=True, alt=_name(here, asked, picked), height="content", column_config=right)
    _downloads(here, asked, picked, total)


def _worded(lines, here: Choice, asked: Moves):
    names = state_names(here, asked)
    states = {side: [names.get(code, code) for code in lines[side]] for side in ("before", "after")}
    return drill.worded(lines.assign(**states), here)


def _downloads(here: Choice, asked: Moves, picked: Mapping[str, str], total: int) -> None:
    lang = here.lang
    if total > drill.LIMIT:
        st.html(f'<p class="lp-note">{html.escape(say("drill.limit", lang, limit=f"{drill.LIMIT:,}"))}</p>')
        return
    notes = drill.notes(here, asked.question, _name(here, asked, picked), False)
    notes.append((say("changes.compared", lang), str(asked.before)))

    def made(write) -> bytes:
        frame = _worded(bank.analysed("moves.listed", asked, picked, drill.LIMIT, 0), here, asked)
        return write(frame, drill.columns(frame, lang), notes, lang)

    stem = f"moved_{asked.before}_{asked.question.as_of}_{bank.bank().edition.id[:8]}"
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            say("drill.download_csv", lang), lambda: made(exports.csv_bytes), f"{stem}.csv", "text/csv",
            on_click="ignore", key=f"moved_csv_{lang}",
        )  # fmt: skip
        st.download_button(
            say("drill.download_xlsx", lang), lambda: made(exports.xlsx_bytes), f"{stem}.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", on_click="ignore",
            key=f"moved_xlsx_{lang}",
        )  # fmt: skip
