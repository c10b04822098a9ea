"""The answer to a question: one SQL text, one frame.

The columns of `ask`: the dimensions (language-free codes as text), numerator, denominator, value,
n; `as_of` first for several month ends; with a comparison also numerator_before,
denominator_before, value_before, n_before and change. Sums are exact in the database and double in
the frame; rates are shares of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import pandas as pd

from analytics.metrics.definitions import DIMENSIONS, Metric, dimension_named, metric_named
from analytics.metrics.edition_metadata import (
    UNKNOWN,
    absent_tables,
    has_deposits,
    labels,
    metadata,
)
from analytics.metrics.question import COMPARISONS, Question
from analytics.metrics.sql_builder import CompiledQuery, SqlBuilder, first_month
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import OPENINGS
from data.dates import month_end
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

_FIGURES = ["numerator", "denominator", "value", "n"]


def ask(warehouse: Warehouse, question: Question) -> pd.DataFrame:
    """Answer a question; the columns are those of the module's docstring.

    Raises
    ------
    UserError
        When the question cannot be asked, or this edition cannot answer it.
    """
    with warehouse.session() as reader:
        query = compile_question(reader, question)
        frame = reader.query(query.sql, None, **query.params)
    compares_classes = metric_named(question.metric).compares_classes
    if compares_classes and "as_of" in query.columns and not question.by:
        frame = _with_all_months(frame, query.months)
    return _with_comparison(frame, question) if question.compare else frame


def _with_all_months(frame: pd.DataFrame, months: Sequence[date]) -> pd.DataFrame:
    """Add the months in which no class changed: no rows to count means zero, not unknown."""
    index = pd.DatetimeIndex(months, name="as_of").astype(frame["as_of"].dtype)
    zero = dict.fromkeys(("numerator", "value", "n"), 0)
    complete = frame.set_index("as_of").reindex(index).fillna(zero)
    return complete.astype({"n": "int64"}).reset_index()


def sql_of(warehouse: Warehouse, question: Question) -> str:
    """Return the SQL of a question over the marts, its values in a comment at the end.

    Where a trend cube answers instead, it stores the same sums.
    """
    with warehouse.session() as reader:
        check(reader, question)
        builder = SqlBuilder(reader, metric_named(question.metric), question)
        query = builder.compile(cubes=False)
    values = ", ".join(f"${name} = {value}" for name, value in query.params.items())
    return f"{query.sql}\n-- {values}"


def compile_question(reader: EditionReader, question: Question) -> CompiledQuery:
    """Return the query that `ask` sends. Raises UserError as `ask` does."""
    check(reader, question)
    return SqlBuilder(reader, metric_named(question.metric), question).compile()


def check(reader: EditionReader, question: Question) -> None:
    """Raise UserError when this edition cannot answer the question."""
    metric = metric_named(question.metric)
    _check_options(metric, question)
    _check_month(reader, metric, question)
    _check_dimensions(reader, metric, question)
    if question.compare:
        check_dated(metric, question)
    _check_history(reader, metric, question)


def check_dated(metric: Metric, question: Question) -> None:
    """Raise UserError when the figure of an earlier month end cannot be known."""
    for dimension in DIMENSIONS.values():
        is_used = dimension.id in question.dimensions
        if any(is_used or metric.reads(column) for column in dimension.undated_columns):
            raise UserError("comparison_undated", metric=metric.name, name=dimension.name)


def refusal(reader: EditionReader, metric: str, as_of: date) -> UserError | None:
    """Return why the whole bank's figure of a metric is refused at a month end; None if it is not.

    A figure that is refused is not shown of one customer either.
    """
    try:
        check(reader, Question(metric, as_of))
    except UserError as error:
        return error
    return None


def _check_options(metric: Metric, question: Question) -> None:
    if question.opening not in (0, *OPENINGS):
        raise UserError("unknown_opening", opening=question.opening)
    if question.scheme not in schemes():
        raise UserError("unknown_scheme", scheme=question.scheme, known=schemes())
    if question.compare not in (None, *COMPARISONS):
        raise UserError("unknown_comparison", compare=question.compare)
    if question.last < 1:
        raise UserError("months_below_one", last=question.last)
    if question.last > 1 and (question.compare or not metric.source.is_monthly):
        raise UserError("single_month_metric", metric=metric.name)


def _check_month(reader: EditionReader, metric: Metric, question: Question) -> None:
    """Check that the edition has the month end and the tables of the metric."""
    edition = metadata(reader)
    if question.as_of not in edition.months:
        near = min(edition.months, key=lambda month: abs((month - question.as_of).days))
        raise UserError(
            "no_month_end_nearest",
            as_of=question.as_of,
            first=edition.months[0],
            last=edition.months[-1],
            near=near,
        )
    if absent := absent_tables(edition, metric):
        raise UserError("needs_table", metric=metric.name, table=absent)
    if "deposit_balance" in metric.needs and not has_deposits(reader, question.as_of):
        raise UserError("needs_deposits", metric=metric.name, as_of=question.as_of)


def _check_dimensions(reader: EditionReader, metric: Metric, question: Question) -> None:
    """Check that the metric may be split by the dimensions, and that their codes exist."""
    columns = metadata(reader).columns
    uses_class = metric.compares_classes or question.uses_class
    if uses_class and question.scheme not in columns["customer_month"] | columns["loan_month"]:
        raise UserError("scheme_not_in_edition", scheme=question.scheme)
    repeated = sorted(name for name in question.by if question.by.count(name) > 1)
    if repeated:
        raise UserError("dimension_repeated", doubled=repeated[0])
    for name in question.dimensions:
        if not metric.supports(None if name == "class" else dimension_named(name)):
            raise UserError("dimension_not_allowed", metric=metric.name, name=name)
    for name, codes in question.where:
        _check_codes(name, codes, {*labels(reader, name, "en", question.scheme), UNKNOWN})


def _check_codes(name: str, codes: Iterable[str], allowed: set[str]) -> None:
    for code in codes:
        if code not in allowed:
            some = ", ".join(
                f'"{value}"' if "," in value else value for value in sorted(allowed)[:20]
            )
            raise UserError("unknown_value", name=name, code_=code, some=some)


def _check_history(reader: EditionReader, metric: Metric, question: Question) -> None:
    first = first_month(reader, metric, question)
    if first is None or question.as_of < first:
        raise UserError("needs_more_history", metric=metric.name, first=first)
    if question.compare and month_end(question.as_of, -COMPARISONS[question.compare]) < first:
        raise UserError("no_comparison_month", as_of=question.as_of, first=first)


def _with_comparison(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Return one row per cell: both months side by side, null where a month has no cell."""
    keys = list(question.by)
    is_later = frame["as_of"] == pd.Timestamp(question.as_of)
    later = frame[is_later].drop(columns="as_of").reset_index(drop=True)
    earlier = frame[~is_later].drop(columns="as_of").reset_index(drop=True)
    earlier = earlier.rename(columns={name: f"{name}_before" for name in _FIGURES})
    if keys:
        both = _merge_in_order(later, earlier, keys)
    else:
        both = pd.concat([later, earlier], axis=1)
    for column in ("n", "n_before"):
        both[column] = both[column].fillna(0).astype("int64")
    return both.assign(change=both["value"] - both["value_before"])


def _merge_in_order(later: pd.DataFrame, earlier: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Merge the cells of both months: those of the later one in its order, then the others."""
    both = later.merge(earlier, on=keys, how="outer", sort=False)
    cells = later[keys].itertuples(index=False, name=None)
    position = {cell: index for index, cell in enumerate(cells)}
    merged = both[keys].itertuples(index=False, name=None)
    order = [position.get(cell, len(position)) for cell in merged]
    return both.iloc[sorted(range(len(both)), key=order.__getitem__)].reset_index(drop=True)


def shares(parts: Sequence[float], whole: float) -> list[float | None]:
    """Each part ÷ the whole; None where the whole is 0."""
    return [part / whole if whole else None for part in parts]


def monthly_shares(answer: pd.DataFrame) -> pd.DataFrame:
    """Return an answer by month and additive parts with every value ÷ the sum of its month."""
    whole = answer.groupby("as_of")["value"].transform("sum")
    return answer.assign(value=answer["value"] / whole.where(whole != 0))
