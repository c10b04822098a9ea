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
from data.errors import UserError
from pages.parts.state import navigation, queries
from pages.parts.state.filters import applied_filters
from pages.parts.state.selection import (
    Correction,
    Selection,
    current_selection,
    link_params,
    set_param,
    without_params,
)
from pages.parts.widgets.text import escape_markdown

# What became of a tier: the figures that the page on tiers can show, the first by default.
OUTCOMES = (
    "overdue_rate_30",
    "overdue_rate",
    "npl_ratio",
    "reloan_rate_90",
    "contribution_net",
    "products_per_customer",
)
# What opens a list: the page's switch → the fragment that draws it.
DIALOG_FRAGMENTS = {"open": "list", "moved": "list_moved"}
DIALOG_PARAMS = ("open", "cell", "moved")
PAGE_ROWS = 25
EXPORT_LIMIT = 100_000


def open_cell(metric: str, cell: Mapping[str, str]) -> None:
    """Open the list behind a cell: its split columns and codes. `as_of` may be among them. For callbacks, whose last
    act it is."""
    chosen = "~".join(f"{column}:{code}" for column, code in cell.items())
    open_list("open", {"open": metric, "cell": chosen or None})


def close() -> None:
    """Close the list. For callbacks."""
    close_list("open", ("open", "cell"))


def open_list(switch: str, params: Mapping[str, str | None]) -> None:
    """Set the page's switches that open a list, and run that list alone: sending and drawing the page again as it
    stands would take several times as long."""
    st.session_state.drill_from = st.session_state.pop("drill_marked", "")
    set_param(**params)
    st.rerun(DIALOG_FRAGMENTS[switch])


def close_list(switch: str, params: Sequence[str]) -> None:
    """Drop the switches, and run the list and the part whose cell is marked: it is drawn anew, without the mark."""
    name, closed = (
        st.session_state.pop("drill_from", ""),
        st.session_state.setdefault("drill_closed", {}),
    )
    closed[name] = closed.get(name, 0) + 1
    set_param(**dict.fromkeys(params))
    st.rerun(
        [
            DIALOG_FRAGMENTS[switch],
            *([f"part_{name}"] if name in st.session_state.drill_parts else []),
        ]
    )


def mark_clicked(name: str) -> None:
    """Say that the click of this callback leaves a mark in a part."""
    st.session_state.drill_marked = name


def widget_key(name: str) -> str:
    """The key of a board or chart that marks what was clicked: another one once its list was closed."""
    return f"{name}_{st.session_state.get('drill_closed', {}).get(name, 0)}"


def rerunnable_section(selection: Selection, name: str, draw: Callable[[], None]) -> None:
    """Draw a part of a page that can be drawn again without the rest. `name` as in `slot`."""
    edition, is_first, refused = queries.warehouse().edition.id, True, []
    st.session_state.drill_parts.add(name)

    @st.fragment(key=f"part_{name}")
    def piece() -> None:
        nonlocal is_first
        if not is_first and not _is_current(selection, edition):
            st.rerun()
        try:
            draw()
        except (UserError, queries.EditionChanged) as refusal:
            # What leaves a fragment Streamlit prints as a fault; the page knows better what to say.
            if not is_first:
                st.rerun()
            refused.append(refusal)
        is_first = False

    piece()
    for refusal in refused:
        raise refusal


def clickable_table(
    selection: Selection, name: str, frame: Any, clicked: Callable[[int, str], None], **more: Any
) -> None:
    """A table as a part whose cells open something: `clicked` gets the row and the column. `more`: st.dataframe's."""

    def draw() -> None:
        key = widget_key(name)

        def picked() -> None:
            for row, column in st.session_state[key]["selection"]["cells"]:
                mark_clicked(name)
                clicked(row, column)

        st.dataframe(
            frame, hide_index=True, key=key, on_select=picked, selection_mode="single-cell", **more
        )

    rerunnable_section(selection, name, draw)


def dialog(selection: Selection, pick: str, draw: Callable[[Selection], None]) -> None:
    """The list that a switch opens; it runs alone when it is opened or closed."""
    edition = queries.warehouse().edition.id

    @st.fragment(key=DIALOG_FRAGMENTS[pick])
    def piece() -> None:
        if not _is_current(selection, edition):
            st.rerun()
        if pick in dict(current_selection().page_params):
            draw(current_selection())

    piece()


def _is_current(selection: Selection, edition: str) -> bool:
    """Whether what the page was drawn from is still looked at."""
    return queries.warehouse().edition.id == edition and without_params(
        current_selection(), *DIALOG_PARAMS
    ) == without_params(selection, *DIALOG_PARAMS)


def open_cell_of(selection: Selection) -> tuple[str, dict[str, str]] | None:
    """(metric, cell) of the open list as the URL has it, or None; what does not fit is dropped."""
    picks = dict(selection.page_params)
    metric = picks.get("open", "")
    if metric not in METRICS:
        return None
    cell = dict(part.split(":", 1) for part in picks.get("cell", "").split("~") if ":" in part)
    return metric, {
        column: code
        for column, code in cell.items()
        if _is_valid_cell(selection, metric, column, code)
    }


def problems(selection: Selection) -> list[Correction]:
    """What of the open list the URL asks for and cannot be shown."""
    picks = dict(selection.page_params)
    metric, found = picks.get("open"), []
    if metric is not None and metric not in METRICS:
        return [("address.unknown_list", {"value": metric})]
    for part in filter(None, picks.get("cell", "").split("~") if metric else ()):
        column, _, code = part.partition(":")
        if not _is_valid_cell(selection, metric, column, code):
            found.append(("address.unknown_cell", {"value": part}))
    return found


def _is_valid_cell(selection: Selection, metric: str, column: str, code: str) -> bool:
    if column == "as_of":
        return code in queries.selection_options().months
    if column != "class" and column not in SPLITS:
        return False
    split = None if column == "class" else SPLITS[column]
    return METRICS[metric].may_split(split) and code in queries.labels(
        column, "en", selection.scheme
    )


def cell_question(
    selection: Selection, metric: str, cell: Mapping[str, str]
) -> tuple[Question, dict[str, str]]:
    """The question and the cell's splits; a cell of another month asks that month."""
    splits = {column: code for column, code in cell.items() if column != "as_of"}
    at = replace(selection, as_of=cell.get("as_of", selection.as_of))
    return queries.question_for(at, metric, tuple(splits), compare=False), splits


def cell_name(selection: Selection, cell: Mapping[str, str]) -> str:
    """The cell in words: 层级 A · 朝阳支行 · 2026年9月."""
    lang, parts = selection.lang, []
    for column, code in cell.items():
        if column == "as_of":
            parts.append(text.month(code, lang))
        else:
            parts.append(queries.labels(column, lang, selection.scheme).get(code, code))
    return " · ".join(parts) or say("drill.everyone", lang)


def show(selection: Selection) -> None:
    """The open list, if one is open, laid over the page: wherever the click was, the list is in sight. The frame
    calls it before the page, so that nobody waits for charts that he has already."""
    st.session_state.drill_parts = set()
    st.session_state.pop("drill_marked", None)

    def draw(now: Selection) -> None:
        found = open_cell_of(now)
        if found:
            title = say(
                "drill.title",
                now.lang,
                metric=METRICS[found[0]].name[now.lang],
                cell=cell_name(now, found[1]),
            )
            st.dialog(escape_markdown(title), width="large", on_dismiss=close)(_list)(now, *found)

    dialog(selection, "open", draw)


def _list(selection: Selection, metric: str, cell: Mapping[str, str]) -> None:
    lang, declared = selection.lang, METRICS[metric]
    question, splits = cell_question(selection, metric, cell)
    with st.container(key="drill"):
        try:
            _page_of_rows(selection, question, splits, cell_name(selection, cell))
        except UserError as refusal:
            st.html(f'<p class="lp-note">{html.escape(refusal.text(lang))}</p>')
            return
        st.html(
            f'<p class="lp-note">{html.escape(declared.name[lang])}: {html.escape(declared.meaning[lang])}</p>'
        )


def _page_of_rows(
    selection: Selection, question: Question, splits: Mapping[str, str], cell: str
) -> None:
    lang, declared = selection.lang, METRICS[question.metric]
    hit = False
    if declared.hit:
        label = say("drill.only_hit", lang, metric=declared.name[lang])
        hit = st.toggle(label, key=f"drill_hit_{question.metric}_{lang}")
    total = queries.count(question, splits, hit=hit)
    counted = say(f"drill.count_{declared.grain}s", lang, n=f"{total:,}")
    st.html(
        f'<p class="lp-note">{html.escape(counted)} · {html.escape(say("drill.masked", lang))}</p>'
    )
    pages = max(1, math.ceil(total / PAGE_ROWS))
    at = 1
    if pages > 1:
        at = st.pagination(
            pages,
            key=f"drill_page_{question.metric}_{question.as_of}_{'_'.join(splits.values())}_{hit}",
        )
    lines = queries.rows(question, splits, hit=hit, limit=PAGE_ROWS, offset=(at - 1) * PAGE_ROWS)
    words = export_columns(lines, lang)
    right = {
        c.header: st.column_config.Column(alignment="right")
        for c in words.values()
        if c.unit not in ("text", "date")
    }
    table = format_table(with_labels(lines, selection), words, lang)
    st.dataframe(table, hide_index=True, alt=cell, height="content", column_config=right)
    _downloads(selection, question, splits, hit, total, cell)
    _branch_link(selection, question.metric, splits)


def _branch_link(selection: Selection, metric: str, splits: Mapping[str, str]) -> None:
    """The same cell on the page on tiers, branch by branch below; month, comparison and filters go along."""
    if set(splits) != {"class"} or metric not in OUTCOMES:
        return
    page = navigation.pages(selection.lang)["overall"]["tiers"]
    told = link_params() | {"tier": [splits["class"]], "metric": [metric]}
    st.page_link(page, label=say("drill.down", selection.lang), query_params=told)


def export_columns(frame: pd.DataFrame, lang: str) -> dict[str, export.Column]:
    """Header and unit of every column of a list, by its name."""
    return {
        name: export.Column(say(f"column.{name}", lang), UNITS.get(name, "text"))
        for name in frame.columns
    }


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
LABELLED_COLUMNS = {
    "product": ("product", ""),
    "manager": ("manager", ""),
    "channel": ("channel", ""),
    "outcome": ("outcome", ""),
    "status": ("status", ""),
    "class": ("class", ""),
    "class_opening": ("class", ""),
    "loan_five": ("class", "loan_five"),
}


def with_labels(frame: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """The list with words in place of codes, in the reader's language."""
    changed = {}
    for name in frame:
        if name == "branch":
            tree = queries.branch_tree()
            changed[name] = [
                tree[code].name(selection.lang) if code in tree else code for code in frame[name]
            ]
        elif name in LABELLED_COLUMNS:
            split, scheme = LABELLED_COLUMNS[name]
            words = queries.labels(split, selection.lang, scheme or selection.scheme)
            changed[name] = [words.get(code, code) for code in frame[name]]
    return frame.assign(**changed)


def format_table(
    frame: pd.DataFrame, words: Mapping[str, export.Column], lang: str
) -> pd.DataFrame:
    """The list as the page prints it: headers and values in the reader's language."""

    def cell(value: object, unit: str) -> str:
        if pd.isna(value) or text.is_missing(value):
            return text.NOTHING
        if unit == "date":
            return str(value)[:10]
        return str(value) if unit == "text" else text.exact(float(value), unit, lang)

    return pd.DataFrame(
        {
            column.header: [cell(v, column.unit) for v in frame[name]]
            for name, column in words.items()
        }
    )


def export_notes(
    selection: Selection, question: Question, cell: str, hit: bool
) -> list[tuple[str, str]]:
    """What a download says about itself: metric, definition, the cell and filters, month, scheme, edition."""
    lang, metric = selection.lang, METRICS[question.metric]
    edition = queries.warehouse().edition
    applied = text.listing([words for _, words in applied_filters(selection)], lang) or say(
        "export.no_filters", lang
    )
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
            f"{queries.scheme_name(selection.scheme, lang)} · {say(f'head.opening_{selection.opening}', lang)}",
        ),
        (
            say("export.edition", lang),
            f"{edition.id} · {edition.source} · {text.day(edition.as_of, lang)}",
        ),
    ]


def _downloads(
    selection: Selection,
    question: Question,
    splits: Mapping[str, str],
    hit: bool,
    total: int,
    cell: str,
) -> None:
    lang = selection.lang
    if total > EXPORT_LIMIT:
        st.html(
            f'<p class="lp-note">{html.escape(say("drill.limit", lang, limit=f"{EXPORT_LIMIT:,}"))}</p>'
        )
        return
    stem = f"{question.metric}_{question.as_of}_{queries.warehouse().edition.id[:8]}"

    def made(write) -> bytes:
        frame = with_labels(queries.rows(question, splits, hit=hit, limit=EXPORT_LIMIT), selection)
        return write(
            frame, export_columns(frame, lang), export_notes(selection, question, cell, hit), lang
        )

    with st.container(horizontal=True, gap="small"):
        downloads(made, stem, "drill", lang)


def downloads(
    made: Callable[[Callable], bytes], stem: str, key: str, lang: str, *, disabled: bool = False
) -> None:
    """The buttons that hand out a list as CSV and as Excel; `made` is called with the writer when one is pressed."""
    for kind, write, mime in _KINDS:
        st.download_button(
            say(f"drill.download_{kind}", lang),
            lambda write=write: made(write),
            f"{stem}.{kind}",
            mime,
            on_click="ignore",
            key=f"{key}_{kind}_{lang}",
            disabled=disabled,
        )


_KINDS = (
    ("csv", export.csv_bytes, "text/csv"),
    (
        "xlsx",
        export.xlsx_bytes,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
)
