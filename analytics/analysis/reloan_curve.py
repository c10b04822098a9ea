"""The reloan curve: days from settling the last loan to the next one (Kaplan and Meier 1958)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight

from analytics.metrics.definitions import MIN_GROUP_SIZE, dimension_named, metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import check
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.sql.templates import load
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

WINDOWS = (30, 90, 180, 365)
WHOLE = "all"
# Half the width of a 95 % interval, in standard errors.
_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Relation:
    """SQL text up to and with a table expression, with its bound values."""

    sql: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """Reloan curves.

    Attributes
    ----------
    points
        part, days (since settling), value (share back by then, 1 − Kaplan–Meier), n (still
        observed).
    summary
        part, n (settlements), back (of them), value_30 … value_365 with low_ and high_ (95 %,
        Greenwood) and n_ (at risk), null where fewer than 30 were observed so long; half_by and
        most_by: days in which half and nine tenths of those back within 180 days had come.
    """

    points: pd.DataFrame
    summary: pd.DataFrame


def curve(warehouse: Warehouse, question: Question) -> Curve:
    """Return the days from settling the last loan to the next one, by one dimension or none.

    Spells are censored at question.as_of. Kaplan and Meier (1958) by statsmodels. A class is that
    of `opening` months before the month end after settling.

    Raises
    ------
    UserError
        As `ask`, and where nobody has settled.
    """
    with warehouse.session() as reader:
        query = settlement_spells(reader, question)
        sql = f"{query.sql}\norder by part, days"
        spells = reader.query(sql, None, **query.params, until=question.as_of)
        has_payments = "instalment" in metadata(reader).nonempty_tables
    if spells.empty and not has_payments:
        raise UserError("needs_payment_history")
    if spells.empty:
        raise UserError("no_settlements", as_of=question.as_of)
    groups = [(str(code), group) for code, group in spells.groupby("part", sort=False)]
    if question.by:
        groups.append((WHOLE, spells))
    points = []
    summary = []
    for code, group in groups:
        curve_points, line = survival_curve(group["days"].to_numpy(), group["is_back"].to_numpy())
        points.append(curve_points.assign(part=code))
        summary.append({"part": code, **line})
    return Curve(pd.concat(points, ignore_index=True), pd.DataFrame(summary))


def settlement_spells(reader: EditionReader, question: Question) -> Relation:
    """Return the query of the settlements with part and days; `until` is still to be bound."""
    narrowed = narrow_question(reader, question, "customers")
    back = narrowed.opening if "class" in narrowed.by else 0
    months = [day for day in metadata(reader).months if day <= narrowed.as_of][back:]
    builder = SqlBuilder(reader, metric_named("customers"), narrowed)
    part = part_sql(builder)
    conditions = builder.conditions(months)
    text = load(
        "questions/reloan_spells", part=part, conditions=conditions, joins=builder.joins_sql
    )
    return Relation(text.rstrip(), builder.params)


def survival_curve(days: np.ndarray, back: np.ndarray) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the points of one curve and its line of the summary, see `Curve`.

    Parameters
    ----------
    days
        Length of each spell.
    back
        1 where the spell ended with a loan, 0 where it is censored.
    """
    times = np.array([])
    share = np.array([])
    width = np.array([])
    if back.any():
        survival = SurvfuncRight(days, back)
        times = np.asarray(survival.surv_times)
        share = 1 - np.asarray(survival.surv_prob)
        width = _Z_95 * np.asarray(survival.surv_prob_se)
    ordered = np.sort(days)
    at_risk = len(days) - np.searchsorted(ordered, times, side="left")
    line: dict[str, float] = {"n": len(days), "back": int(back.sum())}
    for window in WINDOWS:
        observed = len(days) - int(np.searchsorted(ordered, window, side="left"))
        value, low, high = _interval_at(window, times, share, width)
        is_enough = observed >= MIN_GROUP_SIZE
        line |= {
            f"value_{window}": value if is_enough else np.nan,
            f"low_{window}": low if is_enough else np.nan,
            f"high_{window}": high if is_enough else np.nan,
            f"n_{window}": observed,
        }
    for name, part in (("half_by", 0.5), ("most_by", 0.9)):
        goal = line["value_180"] * part
        line[name] = float(times[np.argmax(share >= goal)]) if goal > 0 else np.nan
    points = pd.DataFrame(
        {"days": np.r_[0, times], "value": np.r_[0.0, share], "n": np.r_[len(days), at_risk]}
    )
    return points.drop_duplicates("days", keep="last"), line


def _interval_at(
    window: int, times: np.ndarray, share: np.ndarray, width: np.ndarray
) -> tuple[float, float, float]:
    """Return the share back within `window` days, and its 95 % interval."""
    last = int(np.searchsorted(times, window, side="right")) - 1
    if last < 0:
        return 0.0, 0.0, 0.0
    value = share[last]
    return value, max(0.0, value - width[last]), min(1.0, value + width[last])


def narrow_question(reader: EditionReader, question: Question, metric: str) -> Question:
    """Return the question about `metric` at one month end, by at most one lasting dimension."""
    narrowed = question.with_changes(metric, last=1, compare=None)
    if len(narrowed.by) > 1:
        raise UserError("too_many_dimensions", count_by=len(narrowed.by))
    for name in narrowed.by:
        if name != "class" and dimension_named(name).of == "month":
            raise UserError("dimension_changes_monthly", name=name)
    check(reader, narrowed)
    return narrowed


def part_sql(builder: SqlBuilder) -> str:
    """Return the SQL of the question's dimension, or of the one part without a dimension."""
    by = builder.question.by
    return builder.expression(by[0]) if by else f"'{WHOLE}'"
