"""The list behind a cell of a metric: the customers or loans that it counted, masked, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.question import Question
from data.errors import UserError
from pages.parts.state import navigation, queries
from pages.parts.state.selection import Correction, Selection, link_params
from pages.parts.widgets import fragments, list_table
from pages.parts.widgets.list_table import EXPORT_LIMIT, PAGE_ROWS, Writer
from pages.parts.widgets.text import caption, escape_markdown

# Outcomes of a tier that the page on tiers can show, the first by default.
OUTCOMES = (
    "overdue_rate_30",
    "overdue_rate",
    "npl_ratio",
    "reloan_rate_90",
    "contribution_net",
    "products_per_customer",
)


def open_cell(metric: str, cell: Mapping[str, str]) -> None:
    """Open the list behind a cell: dimension → code; `as_of` may be among them.

    For callbacks, as their last call.
    """
    path = "~".join(f"{column}:{code}" for column, code in cell.items())
    fragments.open_list("open", {"open": metric, "cell": path or None})


def close() -> None:
    """Close the list. For callbacks."""
    fragments.close_list("open", ("open", "cell"))


def open_cell_of(selection: Selection) -> tuple[str, dict[str, str]] | None:
    """Return (metric, cell) of the open list, or None; invalid parts of the cell are dropped."""
    params = dict(selection.page_params)
    metric = params.get("open", "")
    if metric not in METRICS:
        return None
    cell = dict(part.split(":", 1) for part in params.get("cell", "").split("~") if ":" in part)
    valid_cell = {
        column: code
        for column, code in cell.items()
        if _is_valid_cell(selection, metric, column, code)
    }
    return metric, valid_cell


def problems(selection: Selection) -> list[Correction]:
    """Return what the URL asks of the open list and cannot be shown."""
    params = dict(selection.page_params)
    metric = params.get("open")
    if metric is None:
        return []
    if metric not in METRICS:
        return [("address.unknown_list", {"value": metric})]
    corrections: list[Correction] = []
    for part in filter(None, params.get("cell", "").split("~")):
        column, _, code = part.partition(":")
        if not _is_valid_cell(selection, metric, column, code):
            corrections.append(("address.unknown_cell", {"value": part}))
    return corrections


def _is_valid_cell(selection: Selection, metric: str, column: str, code: str) -> bool:
    if column == "as_of":
        return code in queries.selection_options().months
    if column != "class" and column not in DIMENSIONS:
        return False
    dimension = None if column == "class" else DIMENSIONS[column]
    return METRICS[metric].supports(dimension) and code in queries.labels(
        column, "en", selection.scheme
    )


def cell_question(
    selection: Selection, metric: str, cell: Mapping[str, str]
) -> tuple[Question, dict[str, str]]:
    """Return the question of a cell and its dimensions; a cell with `as_of` is of that month."""
    dimensions = {column: code for column, code in cell.items() if column != "as_of"}
    at = replace(selection, as_of=cell.get("as_of", selection.as_of))
    return queries.question_for(at, metric, tuple(dimensions), compare=False), dimensions


def cell_name(selection: Selection, cell: Mapping[str, str]) -> str:
    """Return the cell in words: 层级 A · 朝阳支行 · 2026年9月."""
    lang = selection.lang
    parts = []
    for column, code in cell.items():
        if column == "as_of":
            parts.append(text.month(code, lang))
        else:
            parts.append(queries.labels(column, lang, selection.scheme).get(code, code))
    return " · ".join(parts) or say("drill.everyone", lang)


def show(selection: Selection) -> None:
    """Draw the open list, if any, as a dialog over the page.

    The frame calls this before the page, so that the dialog opens before charts are redrawn.
    """
    fragments.start_run()

    def draw(current: Selection) -> None:
        metric_and_cell = open_cell_of(current)
        if metric_and_cell is None:
            return
        metric, cell = metric_and_cell
        name = METRICS[metric].name[current.lang]
        title = say("drill.title", current.lang, metric=name, cell=cell_name(current, cell))
        list_dialog = st.dialog(escape_markdown(title), width="large", on_dismiss=close)
        list_dialog(_dialog_content)(current, metric, cell)

    fragments.dialog(selection, "open", draw)


def _dialog_content(selection: Selection, metric: str, cell: Mapping[str, str]) -> None:
    lang = selection.lang
    with st.container(key="drill"):
        try:
            _page_of_rows(selection, metric, cell)
        except UserError as refusal:
            caption(refusal.text(lang))
            return
        caption(f"{METRICS[metric].name[lang]}: {METRICS[metric].meaning[lang]}")


@dataclass(frozen=True)
class _CellList:
    """The rows of one list; `hit`: only what counts in the numerator; `total`: how many rows."""

    question: Question
    dimensions: Mapping[str, str]
    cell: str
    hit: bool
    total: int


def _page_of_rows(selection: Selection, metric: str, cell: Mapping[str, str]) -> None:
    lang = selection.lang
    definition = METRICS[metric]
    question, dimensions = cell_question(selection, metric, cell)
    hit = False
    if definition.numerator_filter:
        label = say("drill.only_hit", lang, metric=definition.name[lang])
        hit = st.toggle(label, key=f"drill_hit_{metric}_{lang}")
    total = queries.count(question, dimensions, hit=hit)
    count = say(f"drill.count_{definition.grain}s", lang, n=f"{total:,}")
    caption(f"{count} · {say('drill.masked', lang)}")
    codes = "_".join(dimensions.values())
    page = list_table.page_picker(
        total, PAGE_ROWS, f"drill_page_{metric}_{question.as_of}_{codes}_{hit}"
    )
    rows = queries.rows(
        question, dimensions, hit=hit, limit=PAGE_ROWS, offset=(page - 1) * PAGE_ROWS
    )
    columns = list_table.export_columns(rows, lang)
    cell_list = _CellList(question, dimensions, cell_name(selection, cell), hit, total)
    st.dataframe(
        list_table.format_table(list_table.with_labels(rows, selection), columns, lang),
        hide_index=True,
        alt=cell_list.cell,
        height="content",
        column_config=list_table.number_columns(columns),
    )
    _downloads(selection, cell_list)
    _branch_link(selection, metric, dimensions)


def _branch_link(selection: Selection, metric: str, dimensions: Mapping[str, str]) -> None:
    """Link to the same cell on the page on tiers, with month, comparison and filters."""
    if set(dimensions) != {"class"} or metric not in OUTCOMES:
        return
    page = navigation.pages(selection.lang)["overall"]["tiers"]
    params = link_params() | {"tier": [dimensions["class"]], "metric": [metric]}
    st.page_link(page, label=say("drill.down", selection.lang), query_params=params)


def _downloads(selection: Selection, cell_list: _CellList) -> None:
    lang = selection.lang
    if cell_list.total > EXPORT_LIMIT:
        caption(say("drill.limit", lang, limit=f"{EXPORT_LIMIT:,}"))
        return
    question = cell_list.question

    def write_file(writer: Writer) -> bytes:
        rows = queries.rows(question, cell_list.dimensions, hit=cell_list.hit, limit=EXPORT_LIMIT)
        frame = list_table.with_labels(rows, selection)
        notes = list_table.export_notes(selection, question, cell_list.cell, cell_list.hit)
        return writer(frame, list_table.export_columns(frame, lang), notes, lang)

    stem = f"{question.metric}_{question.as_of}_{queries.warehouse().edition.id[:8]}"
    with st.container(horizontal=True, gap="small"):
        list_table.downloads(write_file, stem, "drill", lang)
