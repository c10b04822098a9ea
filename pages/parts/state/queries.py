"""The queries of the pages, cached by edition, row scope and question."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from analytics import rulebooks
from analytics.analysis.cohorts import CohortQuery
from analytics.analysis.migration import MigrationQuery
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics import (
    branches,
    drilldown,
    edition_metadata,
    load_report,
    query,
    targets,
)
from analytics.metrics.definitions import DIMENSIONS, METRICS
from analytics.metrics.question import Question
from analytics.metrics.targets import Target
from analytics.rulebooks import registry
from data.contract.formats import CURRENCY
from data.contract.schema import read_contract
from data.editions.manifest import Edition
from data.editions.reader import Warehouse
from data.errors import UserError
from pages.parts.state.selection import Selection, SelectionOptions

# Whose rows may be seen. Part of every cache key: rows of one reader never answer another's query.
ROW_SCOPE = "whole bank"
MAX_ANSWERS = 2_000
MAX_LISTS = 200
Result = TypeVar("Result")
# A cell as a cache key: (dimension, code) in the order of the names.
CellKey = tuple[tuple[str, str], ...]
# cell, hit, limit, offset, order
ListPage = tuple[CellKey, bool, int, int, str | None]


class EditionChanged(Exception):
    """The edition changed while a question was answered; the run must start again."""


@st.cache_resource(show_spinner=False)
def _open_warehouse(home: str) -> Warehouse:
    warehouse = Warehouse(home, verify="background", threads=2)
    registry.use_stored_rulebooks(warehouse)
    return warehouse


def home() -> Path:
    """Return the folder of the editions: LOAN_PANORAMA_HOME, else .bank/home beside app.py."""
    return Path(
        os.environ.get("LOAN_PANORAMA_HOME") or Path(__file__).parents[3] / ".bank" / "home"
    )


def warehouse() -> Warehouse:
    """Return the warehouse of this process. Raises UserError when no edition can be served."""
    return _open_warehouse(str(home()))


def refresh() -> Warehouse:
    """Return the warehouse after moving to the newest published edition. Once per run."""
    current = warehouse()
    current.refresh()
    return current


def edition_as_of(edition: Edition) -> date:
    """Return the day of the data; the newest month end where the delivery names no day."""
    return edition.as_of or edition.months[-1]


def currency_name(lang: str) -> str:
    """Return the name of the currency in which all amounts of the edition are."""
    return text.currency_name(warehouse().edition.facts.get("currency", CURRENCY), lang)


def currency_unit(lang: str) -> str:
    """Return the currency as the unit of an amount: 元 or CNY."""
    return text.currency_unit(warehouse().edition.facts.get("currency", CURRENCY), lang)


def _warehouse_at(edition: str) -> Warehouse:
    current = warehouse()
    if current.edition.id != edition:
        raise EditionChanged
    return current


@st.cache_data(show_spinner=False, max_entries=MAX_ANSWERS, hash_funcs={Question: repr})
def _ask(edition: str, scope: str, question: Question) -> pd.DataFrame:
    answer = query.ask(_warehouse_at(edition), question)
    _warehouse_at(edition)
    if question.last > 1 and "as_of" not in answer:  # one month of history
        answer.insert(0, "as_of", pd.Timestamp(question.as_of))
    return answer


@st.cache_data(show_spinner=False, max_entries=MAX_LISTS, hash_funcs={Question: repr})
def _rows(edition: str, scope: str, question: Question, page: ListPage) -> pd.DataFrame:
    cell, hit, limit, offset, order = page
    answer = drilldown.list_rows(
        _warehouse_at(edition), question, dict(cell), hit, limit, offset, order
    )
    _warehouse_at(edition)
    return answer


@st.cache_data(show_spinner=False, max_entries=MAX_LISTS, hash_funcs={Question: repr})
def _count(edition: str, scope: str, question: Question, cell: CellKey, hit: bool) -> int:
    answer = drilldown.count_rows(_warehouse_at(edition), question, dict(cell), hit)
    _warehouse_at(edition)
    return answer


@st.cache_data(show_spinner=False, max_entries=MAX_LISTS)
def _labels(edition: str, scope: str, dimension: str, lang: str, scheme: str) -> dict[str, str]:
    with _warehouse_at(edition).session() as reader:
        return dict(edition_metadata.labels(reader, dimension, lang, scheme))


def _qualified_name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs={FunctionType: _qualified_name})
def _cached_report(
    edition: str, scope: str, function: Callable[..., Result], *arguments: Any
) -> Result:
    answer = function(_warehouse_at(edition), *arguments)
    _warehouse_at(edition)
    return answer


@st.cache_data(
    show_spinner=False,
    max_entries=MAX_LISTS,
    hash_funcs={
        FunctionType: _qualified_name,
        Question: repr,
        MigrationQuery: repr,
        CohortQuery: repr,
    },
)
def _cached_analysis(
    edition: str,
    scope: str,
    function: Callable[..., Result],
    question: Question | MigrationQuery | CohortQuery,
    arguments: tuple[Any, ...],
) -> Result:
    answer = function(_warehouse_at(edition), question, *arguments)
    _warehouse_at(edition)
    return answer


@st.cache_data(show_spinner=False, max_entries=MAX_LISTS)
def _targets(edition: str, scope: str, as_of: date) -> dict[tuple[str, str], Target]:
    return targets.targets_at(_warehouse_at(edition), as_of)


@st.cache_data(show_spinner=False, max_entries=8)
def _branches(edition: str, scope: str) -> dict[str, branches.Branch]:
    return branches.tree(_warehouse_at(edition))


@st.cache_data(
    show_spinner=False,
    max_entries=MAX_LISTS,
    hash_funcs={Selection: repr, FunctionType: _qualified_name},
)
def _cached_view(
    edition: str,
    scope: str,
    build: Callable[..., Result],
    selection: Selection,
    arguments: tuple[Any, ...],
) -> Result:
    answer = build(selection, *arguments)
    _warehouse_at(edition)
    return answer


def cached_view(build: Callable[..., Result], selection: Selection, *arguments: Any) -> Result:
    """Return the cached result of `build(selection, *arguments)`.

    A board is made of dozens of answers; each is quick, all together are not. The page's own
    switches are no part of the key.
    """
    scoped = replace(selection, page_params=())
    return _cached_view(warehouse().edition.id, ROW_SCOPE, build, scoped, arguments)


def schemes() -> dict[str, rulebooks.Scheme]:
    """Scheme id → scheme, in the order of the menu: those that grade customers first."""

    def menu_order(entry: tuple[str, rulebooks.Scheme]) -> tuple[bool, str]:
        id, scheme = entry
        return scheme.grain != "customer", id

    return dict(sorted(registry.schemes().items(), key=menu_order))


def scheme_name(scheme: str, lang: str) -> str:
    """Return the name of a scheme in the reader's language."""
    return schemes()[scheme].names[lang]


def dimension_name(dimension: str, lang: str) -> str:
    """Return the name of a dimension in the reader's language."""
    return say("table.class", lang) if dimension == "class" else DIMENSIONS[dimension].name[lang]


def sql(question: Question) -> str:
    """Return the SQL that answers the question, with its bound values."""
    return query.sql_of(warehouse(), question)


def ask(question: Question) -> pd.DataFrame:
    """Answer a question.

    Returns
    -------
    The dimension columns, numerator, denominator, value, n; with a comparison also the same with
    the suffix _before, and change.

    Raises
    ------
    UserError
        When the question cannot be answered from this edition.
    """
    return _ask(warehouse().edition.id, ROW_SCOPE, question)


def total_row(question: Question, lang: str) -> tuple[pd.Series | None, str]:
    """Return the one row of a question without dimensions, or None and the reason why not.

    Where the warehouse lacks the month of comparison, the row has no change.
    """
    try:
        return ask(question).iloc[0], ""
    except UserError as refusal:
        if question.compare:
            return total_row(question.with_changes(compare=None), lang)
        return None, explain_refusal(question, refusal, lang)


def explain_refusal(question: Question, refusal: UserError, lang: str) -> str:
    """Explain why a question has no answer: missing tables, unsupported filters, or the error."""
    metric = METRICS[question.metric]
    contract = read_contract()
    missing = [table for table in metric.needs if table in empty_tables()]
    if missing:
        names = [f"{contract.table(table).meaning[lang]} ({table})" for table in missing]
        return say(
            "missing.tables", lang, metric=metric.name[lang], tables=text.listing(names, lang)
        )
    unsupported = [
        name
        for name, _ in question.where
        if name != "class" and not metric.supports(DIMENSIONS[name])
    ]
    if unsupported:
        names = [dimension_name(name, lang) for name in unsupported]
        return say("words.unfit", lang, metric=metric.name[lang], splits=text.listing(names, lang))
    return refusal.text(lang)


def has_variation(dimension: str) -> bool:
    """Return whether the dimension has more than one value among the loans of the latest month."""
    return _has_variation(warehouse().edition.id, ROW_SCOPE, dimension)


@st.cache_data(show_spinner=False, max_entries=MAX_LISTS)
def _has_variation(edition: str, scope: str, dimension: str) -> bool:
    month = _warehouse_at(edition).edition.months[-1]
    try:
        return len(ask(Question("loans", month, by=(dimension,)))) > 1
    except UserError:
        return False


def rows(
    question: Question,
    cell: Mapping[str, str],
    *,
    hit: bool = False,
    limit: int = 200,
    offset: int = 0,
    order: str | None = None,
) -> pd.DataFrame:
    """Return the customers or loans behind one cell of an answer; `hit`: of its numerator only.

    Raises UserError when the cell cannot be listed.
    """
    page = (tuple(sorted(cell.items())), hit, limit, offset, order)
    return _rows(warehouse().edition.id, ROW_SCOPE, question, page)


def count(question: Question, cell: Mapping[str, str], *, hit: bool = False) -> int:
    """Count the customers or loans behind a cell: its n, or with `hit` those in its numerator."""
    return _count(warehouse().edition.id, ROW_SCOPE, question, tuple(sorted(cell.items())), hit)


def labels(dimension: str, lang: str, scheme: str = "") -> dict[str, str]:
    """Return code → words of a dimension in printing order; `scheme` is the scheme of `class`."""
    return _labels(
        warehouse().edition.id, ROW_SCOPE, dimension, lang, scheme or next(iter(schemes()))
    )


def branch_tree() -> dict[str, branches.Branch]:
    """Return branch code → branch, parents first."""
    return _branches(warehouse().edition.id, ROW_SCOPE)


def cached_analysis(
    function: Callable[..., Result],
    question: Question | MigrationQuery | CohortQuery,
    *arguments: Any,
) -> Result:
    """Return the cached result of `function(warehouse, question, *arguments)`.

    For functions of analytics.analysis and analytics.metrics. Raises UserError as they do.
    """
    return _cached_analysis(warehouse().edition.id, ROW_SCOPE, function, question, arguments)


def cached_report(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return the cached result of `function(warehouse, *arguments)`, where no question is asked."""
    return _cached_report(warehouse().edition.id, ROW_SCOPE, function, *arguments)


def targets_of(selection: Selection) -> dict[str, Target]:
    """Return metric → target and red line of the selected branch; empty under any other filter."""
    branch = targets.target_scope(question_for(selection, "customers", compare=False))
    as_of = date.fromisoformat(selection.as_of)
    of_bank = _targets(warehouse().edition.id, ROW_SCOPE, as_of)
    return {metric: target for (metric, place), target in of_bank.items() if place == branch}


def empty_tables() -> dict[str, list[str]]:
    """Return contract table without rows → the metrics that need it."""
    return cached_report(load_report.empty_tables)


def selection_options() -> SelectionOptions:
    """Return what may be selected in this edition."""
    return SelectionOptions(
        months=tuple(day.isoformat() for day in warehouse().edition.months),
        schemes=tuple(schemes()),
        branches={code: branch.path for code, branch in branch_tree().items()},
        dimensions=tuple(DIMENSIONS),
        values=lambda dimension: labels(dimension, "en"),
    )


def question_for(
    selection: Selection,
    metric: str,
    by: tuple[str, ...] = (),
    *,
    last: int = 1,
    compare: bool = True,
) -> Question:
    """Build the question about a metric from the month, comparison, scheme and filters selected."""
    return Question(
        metric,
        date.fromisoformat(selection.as_of),
        by=by,
        where=selection.filters,
        scheme=selection.scheme,
        opening=selection.opening,
        last=last,
        compare=selection.comparison if compare and last == 1 else None,
    )
