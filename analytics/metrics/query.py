"""A Question (metric, month end, splits, filters) → one SQL text → an answer frame. One definition, many readers.

The answer of `ask`: the split columns (language-free codes as text), numerator, denominator, value, n; `as_of` first
when several month ends are asked for; with a comparison also numerator_before, denominator_before, value_before,
n_before and change.
Sums are exact in the database and double in the frame; rates are shares of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from analytics.metrics.definitions import dimension_named, metric_named
from analytics.metrics.edition_metadata import UNKNOWN, has_deposits, labels, metadata
from analytics.metrics.sql_builder import COMPARISONS, CompiledQuery, SqlBuilder, first_month
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import OPENINGS
from data.dates import month_end
from data.errors import UserError


@dataclass(frozen=True)
class Question:
    """What is asked, in language-free codes; `class` is that of `scheme`, `opening` months before (0: today).

    where   pairs of split and allowed codes, all of which must hold
    last    number of month ends up to as_of; scope: branch ids that the asker may see, empty for all
    """

    metric: str
    as_of: date
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    scheme: str = "abcd"
    opening: int = 3
    last: int = 1
    compare: str | None = None
    scope: tuple[str, ...] = ()

    def about(self, metric: str | None = None, **changed: Any) -> Question:
        """The same question with something changed."""
        return replace(self, metric=metric or self.metric, **changed)


def ask(bank, question: Question) -> pd.DataFrame:
    """The answer frame (see the module). Raises UserError with a sentence for what cannot be asked or answered."""
    with bank.session() as view:
        plan = plan_of(view, question)
        frame = view.query(plan.sql, None, **plan.params)
        if metric_named(question.metric).is_move and "as_of" in plan.columns and not question.by:
            frame = _all_months(frame, plan.months)
    return _compared(frame, question) if question.compare else frame


def _all_months(frame: pd.DataFrame, months: Sequence[date]) -> pd.DataFrame:
    """A month in which nobody moved has no rows to count: its sums are zero, not absent."""
    whole = frame.set_index("as_of").reindex(
        pd.DatetimeIndex(months, name="as_of").astype(frame["as_of"].dtype)
    )
    zero = dict.fromkeys(("numerator", "value", "n"), 0)
    return whole.fillna(zero).astype({"n": "int64"}).reset_index()


def sql_of(bank, question: Question) -> str:
    """The question as SQL over the marts, its values in a comment; a cube that answers instead holds the same sums."""
    with bank.session() as view:
        check(view, question)
        plan = SqlBuilder(view, metric_named(question.metric), question).plan(cubes=False)
    return (
        plan.sql + "\n-- " + ", ".join(f"${name} = {value}" for name, value in plan.params.items())
    )


def plan_of(view, question: Question) -> CompiledQuery:
    """The SQL that `ask` sends. Raises UserError as it does."""
    check(view, question)
    return SqlBuilder(view, metric_named(question.metric), question).plan()


def check(view, question: Question) -> None:
    """Raises UserError when metric, split, code, scheme, opening, comparison or date cannot be answered here."""
    metric, it = metric_named(question.metric), metadata(view)
    if question.opening not in (0, *OPENINGS):
        raise UserError("unknown_opening", opening=question.opening)
    if question.scheme not in schemes():
        raise UserError("unknown_scheme", scheme=question.scheme, known=schemes())
    if question.compare not in (None, *COMPARISONS):
        raise UserError("unknown_comparison", compare=question.compare)
    if question.last < 1:
        raise UserError("months_below_one", last=question.last)
    if question.last > 1 and (question.compare or metric.source.when != "month"):
        raise UserError("single_month_metric", metric=metric.name)
    if question.as_of not in it.months:
        near = min(it.months, key=lambda month: abs((month - question.as_of).days))
        raise UserError(
            "no_month_end_nearest",
            as_of=question.as_of,
            first=it.months[0],
            last=it.months[-1],
            near=near,
        )
    for table in metric.needs:
        if table not in it.filled:
            raise UserError("needs_table", metric=metric.name, table=table)
    if "deposit_balance" in metric.needs and not has_deposits(view, question.as_of):
        raise UserError("needs_deposits", metric=metric.name, as_of=question.as_of)
    by_class = metric.is_move or "class" in (*question.by, *(split for split, _ in question.where))
    if by_class and question.scheme not in it.columns["customer_month"] | it.columns["loan_month"]:
        raise UserError("scheme_not_in_edition", scheme=question.scheme)
    if doubled := {name for name in question.by if question.by.count(name) > 1}:
        raise UserError("dimension_repeated", doubled=sorted(doubled)[0])
    for name in (*question.by, *(split for split, _ in question.where)):
        if not metric.supports(None if name == "class" else dimension_named(name)):
            raise UserError("dimension_not_allowed", metric=metric.name, name=name)
    for name, codes in question.where:
        allowed = {*labels(view, name, "en", question.scheme), UNKNOWN}
        for code in codes:
            if code not in allowed:
                some = ", ".join(sorted(allowed)[:20])
                raise UserError("unknown_value", name=name, code_=code, some=some)
    first = first_month(view, metric, question)
    if first is None or question.as_of < first:
        raise UserError("needs_more_history", metric=metric.name, first=first)
    if question.compare and month_end(question.as_of, -COMPARISONS[question.compare]) < first:
        raise UserError("no_comparison_month", as_of=question.as_of, first=first)


def _compared(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """One row per cell: this month beside the month compared with; a cell that is new or gone has gaps on one side."""
    now, keys = pd.Timestamp(question.as_of), list(question.by)
    figures = ["numerator", "denominator", "value", "n"]
    later = frame[frame.as_of == now].drop(columns="as_of")
    earlier = (
        frame[frame.as_of != now]
        .drop(columns="as_of")
        .rename(columns={c: f"{c}_before" for c in figures})
    )
    if keys:
        both = later.merge(earlier, on=keys, how="outer", sort=False)
        order = {cell: i for i, cell in enumerate(later[keys].itertuples(index=False, name=None))}
        both = both.iloc[
            sorted(
                range(len(both)),
                key=lambda i: order.get(tuple(both.loc[both.index[i], keys]), len(order)),
            )
        ]
        both = both.reset_index(drop=True)
    else:
        both = pd.concat([later.reset_index(drop=True), earlier.reset_index(drop=True)], axis=1)
    for column in ("n", "n_before"):
        both[column] = both[column].fillna(0).astype("int64")
    return both.assign(change=both["value"] - both["value_before"])


def shares(parts: Sequence[float], whole: float) -> list[float | None]:
    """Each part ÷ the whole; None where there is no whole."""
    return [part / whole if whole else None for part in parts]


def monthly_shares(answer: pd.DataFrame) -> pd.DataFrame:
    """An answer over months, by parts that make up a whole: every value as its share of the month's whole."""
    whole = answer.groupby("as_of")["value"].transform("sum")
    return answer.assign(value=answer["value"] / whole.where(whole != 0))
