"""The list behind a cell: exactly the customers or loans that the cell counted, page by page, masked, to take along."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS, SPLITS
from analytics.metrics.query import Question
from analytics.presentation import export
from data.errors import Refused
from pages.parts.state import navigation, queries, selection
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import Choice
from pages.parts.widgets.text import escape_markdown

# What became of a tier: the figures that the page on tiers can show, the first by default.
OUTCOMES = (
    "overdue_rate_30", "overdue_rate", "npl_ratio", "reloan_rate_90", "contribution_net", "products_per_customer"
)  # fmt: skip
# What opens a list: the page's switch → the fragment that draws it.
LISTS = {"open": "list", "moved": "list_moved"}
PICKS = ("open", "cell", "moved")
PAGE = 25
LIMIT = 100_000


def open_cell(metric: str, cell: Mapping[str, str]) -> None:
    """Open the list behind a cell: its split columns and codes. `as_of` may be among them. For callbacks, whose last
    act it is."""
    chosen = "~".join(f"{column}:{code}" for column, code in cell.items())
    open_list("open", {"open": metric, "cell": chosen or None})


def close() -> None:
    """Close the list. For callbacks."""
    close_list("open", ("open", "cell"))


def open_list(pick: str, picks: Mapping[str, str | None]) -> None:
    """Set the page's switches that open a list, and run that list alone: sending and drawing the page again as it
    stands would take several times as long."""
    st.session_state.drill_from = st.session_state.pop("drill_marked", "")
    selection.pick(**picks)
    st.rerun(LISTS[pick])


def close_list(pick: str, picks: Sequence[str]) -> None:
    """Drop the switches, and run the list and the part whose cell is marked: it is drawn anew, without the mark."""
    name, closed = st.session_state.pop("drill_from", ""), st.session_state.setdefault("drill_closed", {})
    closed[name] = closed.get(name, 0) + 1
    selection.pick(**dict.fromkeys(picks))
    st.rerun([LISTS[pick], *([f"part_{name}"] if name in st.session_state.drill_parts else [])])


def mark(name: str) -> None:
    """Say that the click of this callback leaves a mark in a part."""
    st.session_state.drill_marked = name


def slot(name: str) -> str:
    """The key of a board or chart that marks what was clicked: another one once its list was closed."""
    return f"{name}_{st.session_state.get('drill_closed', {}).get(name, 0)}"


def part(here: Choice, name: str, draw: Callable[[], None]) -> None:
    """Draw a part of a page that can be drawn again without the rest. `name` as in `slot`."""
    edition, is_first, refused = queries.bank().edition.id, True, []
    st.session_state.drill_parts.add(name)

    @st.fragment(key=f"part_{name}")
    def piece() -> None:
        nonlocal is_first
        if not is_first and not _stands(here, edition):
            st.rerun()
        try:
            draw()
        except (Refused, queries.Moved) as refusal:
            # What leaves a fragment Streamlit prints as a fault; the page knows better what to say.
            if not is_first:
                st.rerun()
            refused.append(refusal)
        is_first = False

    piece()
    for refusal in refused:
        raise refusal


def grid(here: Choice, name: str, frame: Any, clicked: Callable[[int, str], None], **more: Any) -> None:
    """A table as a part whose cells open something: `clicked` gets the row and the column. `more`: st.dataframe's."""

    def draw() -> None:
        key = slot(name)

        def picked() -> None:
            for row, column in st.session_state[key]["selection"]["cells"]:
                mark(name)
                clicked(row, column)

        st.dataframe(frame, hide_index=True, key=key, on_select=picked, selection_mode="single-cell", **more)

    part(here, name, draw)


def listing(here: Choice, pick: str, draw: Callable[[Choice], None]) -> None:
    """The list that a switch opens; it runs alone when it is opened or closed."""
    edition = queries.bank().edition.id

    @st.fragment(key=LISTS[pick])
    def piece() -> None:
        if not _stands(here, edition):
            st.rerun()
        if pick in dict(selection.now().picks):
            draw(selection.now())

    piece()


def _stands(here: Choice, edition: str) -> bool:
    """Whether what the page was drawn from is still looked at."""
    return queries.bank().edition.id == edition and selection.without(selection.now(), *PICKS) == selection.without(
        here, *PICKS
    )


def opened(here: Choice) -> tuple[str, dict[str, str]] | None:
    """(metric, cell) of the open list as the URL has it, or None; what does not fit is dropped."""
    picks = dict(here.picks)
    metric = picks.get("open", "")
    if metric not in METRICS:
        return None
    cell = dict(part.split(":", 1) for part in picks.get("cell", "").split("~") if ":" in part)
    return metric, {column: code for column, code in cell.items() if _fits(here, metric, column, code)}


def problems(here: Choice) -> list[selection.Problem]:
    """What of the open list the URL asks for and cannot be shown."""
    picks = dict(here.picks)
    metric, found = picks.get("open"), []
    if metric is not None and metric not in METRICS:
        return [("address.unknown_list", {"value": metric})]
    for part in filter(None, picks.get("cell", "").split("~") if metric else ()):
        column, _, code = part.partition(":")
        if not _fits(here, metric, column, code):
            found.append(("address.unknown_cell", {"value": part}))
    return found


def _fits(here: Choice, metric: str, column: str, code: str) -> bool:
    if column == "as_of":
        return code in queries.offer().months
    if column != "class" and column not in SPLITS:
        return False
    split = None if column == "class" else SPLITS[column]
    return METRICS[metric].may_split(split) and code in queries.labels(column, "en", here.scheme)


def question_of(here: Choice, metric: str, cell: Mapping[str, str]) -> tuple[Question, dict[str, str]]:
    """The question and the cell's splits; a cell of another month asks that month."""
    splits = {column: code for column, code in cell.items() if column != "as_of"}
    at = replace(here, as_of=cell.get("as_of", here.as_of))
    return queries.about(at, metric, tuple(splits), compare=False), splits


def name_of(here: Choice, cell: Mapping[str, str]) -> str:
    """The cell in words: 层级 A · 朝阳支行 · 2026年9月."""
    lang, parts = here.lang, []
    for column, code in cell.items():
        if column == "as_of":
            parts.append(text.month(code, lang))
        else:
            parts.append(queries.labels(column, lang, here.scheme).get(code, code))
    return " · ".join(parts) or say("drill.everyone", lang)


def show(here: Choice) -> None:
    """The open list, if one is open, laid over the page: wherever the click was, the list is in sight. The frame
    calls it before the page, so that nobody waits for charts that he has already."""
    st.session_state.drill_parts = set()
    st.session_state.pop("drill_marked", None)

    def draw(now: Choice) -> None:
        found = opened(now)
        if found:
            title = say("drill.title", now.lang, metric=METRICS[found[0]].name[now.lang], cell=name_of(now, found[1]))
            st.dialog(escape_markdown(title), width="large", on_dismiss=close)(_list)(now, *found)

    listing(here, "open", draw)


def _list(here: Choice, metric: str, cell: Mapping[str, str]) -> None:
    lang, declared = here.lang, METRICS[metric]
    question, splits = question_of(here, metric, cell)
    with st.container(key="drill"):
        try:
            _lines(here, question, splits, name_of(here, cell))
        except Refused as refusal:
            st.html(f'<p class="lp-note">{html.escape(text.half(refusal, lang))}</p>')
            return
        st.html(f'<p class="lp-note">{html.escape(declared.name[lang])}: {html.escape(declared.meaning[lang])}</p>')


def _lines(here: Choice, question: Question, splits: Mapping[str, str], cell: str) -> None:
    lang, declared = here.lang, METRICS[question.metric]
    hit = False
    if declared.hit:
        label = say("drill.only_hit", lang, metric=declared.name[lang])
        hit = st.toggle(label, key=f"drill_hit_{question.metric}_{lang}")
    total = queries.count(question, splits, hit=hit)
    counted = say(f"drill.count_{declared.grain}s", lang, n=f"{total:,}")
    st.html(f'<p class="lp-note">{html.escape(counted)} · {html.escape(say("drill.masked", lang))}</p>')
    pages = max(1, math.ceil(total / PAGE))
    at = 1
    if pages > 1:
        at = st.pagination(
            pages, key=f"drill_page_{question.metric}_{question.as_of}_{'_'.join(splits.values())}_{hit}"
        )
    lines = queries.rows(question, splits, hit=hit, limit=PAGE, offset=(at - 1) * PAGE)
    words = columns(lines, lang)
    right = {
        c.header: st.column_config.Column(alignment="right") for c in words.values() if c.unit not in ("text", "date")
    }
    table = printed(worded(lines, here), words, lang)
    st.dataframe(table, hide_index=True, alt=cell, height="content", column_config=right)
    _downloads(here, question, splits, hit, total, cell)
    _deeper(here, question.metric, splits)


def _deeper(here: Choice, metric: str, splits: Mapping[str, str]) -> None:
    """The same cell on the page on tiers, branch by branch below; month, comparison and filters go along."""
    if set(splits) != {"class"} or metric not in OUTCOMES:
        return
    page = navigation.pages(here.lang)["overall"]["tiers"]
    told = selection.carried() | {"tier": [splits["class"]], "metric": [metric]}
    st.page_link(page, label=say("drill.down", here.lang), query_params=told)


def columns(frame: pd.DataFrame, lang: str) -> dict[str, export.Column]:
    """Header and unit of every column of a list, by its name."""
    return {name: export.Column(say(f"column.{name}", lang), UNITS.get(name, "text")) for name in frame.columns}


UNITS = {
    "balance": "money",
    "balance_before": "money",
    "overdue_amount": "money",
    "principal": "money",
    "loan_balance": "money",
    "deposit_balance": "money",
    "contribution_net_12m": "money",
    "days_past_due": "days",
    "days_past_due_before": "days",
    "days_late_at_close": "days",
    "loans_open": "count",
    "products_held": "count",
    "disbursed_on": "date",
    "matures_on": "date",
    "closed_on": "date",
    "written_off_on": "date",
    "settled_on": "date",
    "next_disbursed_on": "date",
    "days_since_settled": "days",
}
# Columns whose codes have words: column → (split, scheme; empty for the scheme that is looked at).
WORDS = {
    "product": ("product", ""),
    "manager": ("manager", ""),
    "channel": ("channel", ""),
    "outcome": ("outcome", ""),
    "status": ("status", ""),
    "class": ("class", ""),
    "class_opening": ("class", ""),
    "loan_five": ("class", "loan_five"),
}


def worded(frame: pd.DataFrame, here: Choice) -> pd.DataFrame:
    """The list with words in place of codes, in the reader's language."""
    changed = {}
    for name in frame:
        if name == "branch":
            tree = queries.tree()
            changed[name] = [tree[code].name(here.lang) if code in tree else code for code in frame[name]]
        elif name in WORDS:
            split, scheme = WORDS[name]
            words = queries.labels(split, here.lang, scheme or here.scheme)
            changed[name] = [words.get(code, code) for code in frame[name]]
    return frame.assign(**changed)


def printed(frame: pd.DataFrame, words: Mapping[str, export.Column], lang: str) -> pd.DataFrame:
    """The list as the page prints it: headers and values in the reader's language."""

    def cell(value: object, unit: str) -> str:
        if pd.isna(value) or text.is_missing(value):
            return text.NOTHING
        if unit == "date":
            return str(value)[:10]
        return str(value) if unit == "text" else text.exact(float(value), unit, lang)

    return pd.DataFrame({column.header: [cell(v, column.unit) for v in frame[name]] for name, column in words.items()})


def notes(here: Choice, question: Question, cell: str, hit: bool) -> list[tuple[str, str]]:
    """What a download says about itself: metric, definition, the cell and filters, month, scheme, edition."""
    lang, metric = here.lang, METRICS[question.metric]
    edition = queries.bank().edition
    applied = text.listing([words for _, words in applied_filters(here)], lang) or say("export.no_filters", lang)
    return [
        (say("export.metric", lang), f"{metric.name[lang]} ({metric.id})"),
        (say("export.definition", lang), f"{metric.meaning[lang]} {metric.formula[lang]}"),
        (
            say("export.cell", lang),
            cell + (f" · {say('drill.only_hit', lang, metric=metric.name[lang])}" if hit else ""),
        ),
        (say("export.filters", lang), applied),
        (
            say("export.as_of", lang),
            str(question.as_of),
        ),
        (
            say("export.scheme", lang),
            f"{queries.scheme_name(here.scheme, lang)} · {say(f'head.opening_{here.opening}', lang)}",
        ),
        (say("export.edition", lang), f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}"),
    ]


def _downloads(here: Choice, question: Question, splits: Mapping[str, str], hit: bool, total: int, cell: str) -> None:
    lang = here.lang
    if total > LIMIT:
        st.html(f'<p class="lp-note">{html.escape(say("drill.limit", lang, limit=f"{LIMIT:,}"))}</p>')
        return
    stem = f"{question.metric}_{question.as_of}_{queries.bank().edition.id[:8]}"

    def made(write) -> bytes:
        frame = worded(queries.rows(question, splits, hit=hit, limit=LIMIT), here)
        return write(frame, columns(frame, lang), notes(here, question, cell, hit), lang)

    with st.container(horizontal=True, gap="small"):
        downloads(made, stem, "drill", lang)


def downloads(made: Callable[[Callable], bytes], stem: str, key: str, lang: str, *, disabled: bool = False) -> None:
    """The buttons that hand out a list as CSV and as Excel; `made` is called with the writer when one is pressed."""
    for kind, write, mime in _KINDS:
        st.download_button(
            say(f"drill.download_{kind}", lang), lambda write=write: made(write), f"{stem}.{kind}", mime,
            on_click="ignore", key=f"{key}_{kind}_{lang}", disabled=disabled,
        )  # fmt: skip


_KINDS = (
    ("csv", export.csv_bytes, "text/csv"),
    ("xlsx", export.xlsx_bytes, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
)
