"""The bank that pages ask: one per process, answers cached by edition, row scope and question. All caching is here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import FunctionType
from typing import Any

import pandas as pd
import streamlit as st

from analytics import rulebooks
from analytics.analysis.cohorts import Cohorts
from analytics.analysis.invariants import Check
from analytics.analysis.migration import Moves
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics import branches, edition_metadata, load_report, query, targets
from analytics.metrics import drilldown as listed
from analytics.metrics.definitions import METRICS, SPLITS
from analytics.metrics.query import Question
from analytics.metrics.targets import Mark
from analytics.rulebooks import registry
from data.contract.schema import read_contract
from data.editions import store
from data.editions.engine import Bank
from data.editions.manifest import Edition
from data.errors import Refused
from pages.parts.state.selection import Choice, Offer

# Whose rows may be seen. Part of every cache key, so that one reader's rows can never answer another's question.
SCOPE = "whole bank"
ANSWERS = 2_000
LISTS = 200


class Moved(Exception):
    """The edition changed while a question was being answered: the run starts again with the new one."""


@st.cache_resource(show_spinner=False)
def _bank(home: str) -> Bank:
    found = Bank(home, verify="background", threads=2)
    registry.keep(found)
    return found


def home() -> Path:
    """Where the editions lie: LOAN_PANORAMA_HOME, else .bank/home beside app.py."""
    return Path(os.environ.get("LOAN_PANORAMA_HOME") or Path(__file__).parents[3] / ".bank" / "home")


def bank() -> Bank:
    """The process's bank. Raises Refused when no edition can be served."""
    return _bank(str(home()))


def refresh() -> Bank:
    """The bank, after a look whether a newer edition was published. Once per run."""
    found = bank()
    found.refresh()
    return found


def _keyed(edition: str) -> Bank:
    found = bank()
    if found.edition.id != edition:
        raise Moved
    return found


@st.cache_data(show_spinner=False, max_entries=ANSWERS, hash_funcs={Question: repr})
def _ask(edition: str, scope: str, question: Question) -> pd.DataFrame:
    answer = query.ask(_keyed(edition), question)
    _keyed(edition)
    if question.last > 1 and "as_of" not in answer:  # a history of one month is a history too
        answer.insert(0, "as_of", pd.Timestamp(question.as_of))
    return answer


@st.cache_data(show_spinner=False, max_entries=LISTS, hash_funcs={Question: repr})
def _rows(edition: str, scope: str, question: Question, asked: tuple) -> pd.DataFrame:
    cell, hit, limit, offset, order = asked
    answer = listed.rows(_keyed(edition), question, dict(cell), hit, limit, offset, order)
    _keyed(edition)
    return answer


@st.cache_data(show_spinner=False, max_entries=LISTS, hash_funcs={Question: repr})
def _count(edition: str, scope: str, question: Question, cell: tuple, hit: bool) -> int:
    answer = listed.count(_keyed(edition), question, dict(cell), hit)
    _keyed(edition)
    return answer


@st.cache_data(show_spinner=False, max_entries=LISTS)
def _labels(edition: str, scope: str, split: str, lang: str, scheme: str) -> dict[str, str]:
    with _keyed(edition).lease() as view:
        return dict(edition_metadata.labels(view, split, lang, scheme))


@st.cache_data(show_spinner=False, max_entries=32)
def _told(edition: str, scope: str, what: str, *given) -> Any:
    answer = getattr(load_report, what)(_keyed(edition), *given)
    _keyed(edition)
    return answer


def _qualified_name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


@st.cache_data(
    show_spinner=False,
    max_entries=LISTS,
    hash_funcs={FunctionType: _qualified_name, Question: repr, Moves: repr, Cohorts: repr},
)
def _analysed(edition: str, scope: str, function: Callable, asked: Question | Moves | Cohorts, given: tuple) -> Any:
    answer = function(_keyed(edition), asked, *given)
    _keyed(edition)
    return answer


@st.cache_data(show_spinner=False, max_entries=LISTS)
def _marks(edition: str, scope: str, as_of: date) -> dict[tuple[str, str], Mark]:
    return targets.marks(_keyed(edition), as_of)


@st.cache_data(show_spinner=False, max_entries=8)
def _unknown_targets(edition: str, scope: str) -> list[str]:
    return targets.unknown(_keyed(edition))


@st.cache_data(show_spinner=False, max_entries=8)
def _branches(edition: str, scope: str) -> dict[str, branches.Branch]:
    return branches.tree(_keyed(edition))


@st.cache_data(show_spinner=False, max_entries=LISTS, hash_funcs={Choice: repr})
def _composed(edition: str, scope: str, what: str, here: Choice, given: tuple, _make: Callable) -> Any:
    answer = _make(here, *given)
    _keyed(edition)
    return answer


def composed(make: Callable, here: Choice, *given: Any) -> Any:
    """What `make` puts together from answers for this view, kept: a board is dozens of answers, each quick."""
    what = f"{make.__module__}.{make.__qualname__}"
    return _composed(bank().edition.id, SCOPE, what, replace(here, picks=()), given, make)


def schemes() -> dict[str, rulebooks.Scheme]:
    """Scheme → its rulebooks, in the order of the menu: those that grade customers first."""
    return dict(sorted(registry.schemes().items(), key=lambda entry: (entry[1].grain != "customer", entry[0])))


def scheme_name(scheme: str, lang: str) -> str:
    """The name of a scheme in the reader's language."""
    return schemes()[scheme].names["zh" if lang == "zh-CN" else "en"]


def name_of_split(split: str, lang: str) -> str:
    """The name of a split column in the reader's language."""
    return say("table.class", lang) if split == "class" else SPLITS[split].name[lang]


def sql(question: Question) -> str:
    """The SQL that answers the question, with its bound values."""
    return query.sql_of(bank(), question)


def ask(question: Question) -> pd.DataFrame:
    """The answer: split columns, numerator, denominator, value, n (with a comparison also …_before, change).

    Raises Refused with a sentence when the question cannot be answered from this edition.
    """
    return _ask(bank().edition.id, SCOPE, question)


def whole(question: Question, lang: str) -> tuple[pd.Series | None, str]:
    """The one row of a question without splits, or None and the reason in the reader's language.

    Where the month compared with is not there, the row comes without a change.
    """
    try:
        return ask(question).iloc[0], ""
    except Refused as refusal:
        if question.compare:
            return whole(question.about(compare=None), lang)
        return None, why(question, refusal, lang)


def why(question: Question, refusal: Refused, lang: str) -> str:
    """Why a question is not answered, in words: the tables it lacks, the filters that do not fit, or the refusal."""
    metric = METRICS[question.metric]
    contract, missing = read_contract(), [table for table in metric.needs if table in absent()]
    if missing:
        named = [f"{getattr(contract.table(table), lang[:2])} ({table})" for table in missing]
        return say("missing.tables", lang, metric=metric.name[lang], tables=text.listing(named, lang))
    unfit = [name for name, _ in question.where if name != "class" and not metric.may_split(SPLITS[name])]
    if unfit:
        named = [name_of_split(name, lang) for name in unfit]
        return say("words.unfit", lang, metric=metric.name[lang], splits=text.listing(named, lang))
    return text.half(refusal, lang)


def held(split: str) -> bool:
    """Whether the newest month's loans differ at all in a split; one value for everybody tells nothing."""
    return _held(bank().edition.id, SCOPE, split)


@st.cache_data(show_spinner=False, max_entries=LISTS)
def _held(edition: str, scope: str, split: str) -> bool:
    try:
        return len(ask(Question("loans", _keyed(edition).edition.months[-1], by=(split,)))) > 1
    except Refused:
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
    """The customers or loans behind one cell of an answer; `hit` those in the numerator only. Raises Refused."""
    asked = (tuple(sorted(cell.items())), hit, limit, offset, order)
    return _rows(bank().edition.id, SCOPE, question, asked)


def count(question: Question, cell: Mapping[str, str], *, hit: bool = False) -> int:
    """How many customers or loans stand behind the cell: the n that it printed, or those in its numerator."""
    return _count(bank().edition.id, SCOPE, question, tuple(sorted(cell.items())), hit)


def labels(split: str, lang: str, scheme: str = "") -> dict[str, str]:
    """Code → words of one split, in the order to print them; `scheme` says whose classes the split `class` means."""
    return _labels(bank().edition.id, SCOPE, split, lang, scheme or next(iter(schemes())))


def tree() -> dict[str, branches.Branch]:
    """Branch code → Branch, parents first."""
    return _branches(bank().edition.id, SCOPE)


def analysed(function: Callable, asked: Question | Moves | Cohorts, *given: Any) -> Any:
    """Return the cached answer of a function of analytics.analysis or analytics.metrics.

    `function` takes the open warehouse, the question and further arguments. Raises Refused as it does.
    """
    return _analysed(bank().edition.id, SCOPE, function, asked, given)


def marks(here: Choice) -> dict[str, Mark]:
    """Metric → target and red line of the place that the choice looks at; nothing where it is narrowed otherwise."""
    place = targets.place(about(here, "customers", compare=False))
    found = _marks(bank().edition.id, SCOPE, date.fromisoformat(here.as_of))
    return {metric: mark for (metric, branch), mark in found.items() if branch == place}


def unknown_targets() -> list[str]:
    """Codes of the target table that name no metric."""
    return _unknown_targets(bank().edition.id, SCOPE)


def checks(as_of: str) -> list[Check]:
    """The invariants, asked of this edition."""
    return _told(bank().edition.id, SCOPE, "checks", date.fromisoformat(as_of))


def reconciliation() -> pd.DataFrame:
    """Per delivery and table: read, loaded, rejected, skipped, orphans, whether they balance, control totals."""
    return _told(bank().edition.id, SCOPE, "reconciliation")


def refused(limit: int = 200) -> pd.DataFrame:
    """The rows that the loads of this edition refused, masked."""
    return _told(bank().edition.id, SCOPE, "refused", limit)


def absent() -> dict[str, list[str]]:
    """Contract table without rows → the metrics that need it."""
    return _told(bank().edition.id, SCOPE, "absent")


def history() -> list[Edition]:
    """The editions kept, newest first."""
    return list(reversed(store.history(home())))


def offer() -> Offer:
    """What the choice may be made from in this edition."""
    return Offer(
        months=tuple(day.isoformat() for day in bank().edition.months),
        schemes=tuple(schemes()),
        branches={code: branch.path for code, branch in tree().items()},
        splits=tuple(SPLITS),
        values=lambda split: labels(split, "en"),
    )


def about(here: Choice, metric: str, by: tuple[str, ...] = (), *, last: int = 1, compare: bool = True) -> Question:
    """The question that the choice asks about a metric: same month, comparison, scheme and filters on every page."""
    return Question(
        metric,
        date.fromisoformat(here.as_of),
        by=by,
        where=here.filters,
        scheme=here.scheme,
        opening=here.opening,
        last=last,
        compare=here.against if compare and last == 1 else None,
    )
