"""Is a change real or noise: the paired bootstrap of customers.

Both months have largely the same customers, so customers are drawn with replacement, each with all
rows of both months: 1,000 draws, and the percentile interval of the change (Efron and Tibshirani
1993). The draws use the sums that each customer adds to each part, not rows. Where few customers
carry the change (large balances, small parts), the percentiles are taken further out, as a t
distribution is wider than the normal one (the expanded percentile interval, Hesterberg 2015).
Without this, 95 % intervals of small parts by balance cover 91 to 92 %, see tests/bench_noise.py.
The parts of one board are tested together by Benjamini and Hochberg (1995). Changes with fewer than
30 rows in either month are not tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from analytics.analysis.attribution import compare_periods, validate_periods
from analytics.analysis.bootstrap import CustomerSums, changes, degrees_of_freedom, resample
from analytics.metrics.definitions import MIN_GROUP_SIZE, Metric, metric_named
from analytics.metrics.edition_metadata import UNKNOWN
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

DRAWS = 1_000
MAX_CUSTOMERS = 200_000  # of more customers, a sample of about this size is drawn from
LEVEL = 0.05
RISE = "rise"
FALL = "fall"
NOT_SIGNIFICANT = "noise"
TOO_FEW = "few"
_MILLION = 1_000_000


@dataclass(frozen=True)
class SignificanceResult:
    """What the test found; rates are shares of one, money is CNY.

    Attributes
    ----------
    whole, parts
        value_before, value, change, n_before, n; low and high (95 % interval of the change), p,
        p_adjusted, verdict (rise | fall | noise | few); value_low, value_high (Wilson interval of
        the later value, of shares of rows only). `parts` by the codes of the dimensions, in the
        order of the answer.
    customers
        Number of customers in either month.
    sample_size
        Number of customers that were drawn from.
    """

    question: Question
    before: date
    whole: pd.Series
    parts: pd.DataFrame
    draws: int
    customers: int
    sample_size: int
    seed: int


def assess_change(
    warehouse: Warehouse,
    question: Question,
    before: date,
    draws: int = DRAWS,
    seed: int = 0,
    limit: int = MAX_CUSTOMERS,
) -> SignificanceResult:
    """Test the change from `before` to `question.as_of`, of the whole and by `question.by`.

    Of more than `limit` customers a sample is drawn from, chosen by customer; the interval is
    scaled to the width that all customers would give.

    Raises
    ------
    UserError
        As `ask`, and for a metric whose parts overlap.
    """
    metric = metric_named(question.metric)
    single = question.with_changes(last=1, compare=None)
    with warehouse.session() as reader:
        validate_periods(reader, single, before)
        if not metric.is_additive:
            raise UserError("parts_overlap", metric=metric.name)
        whole = compare_periods(reader, single.with_changes(by=()), before)
        parts = compare_periods(reader, single, before) if single.by else whole.iloc[:0]
        customers = _count_customers(reader, metric, single, before)
        per_million = _MILLION if customers <= limit else limit * _MILLION // customers
        sums = _customer_sums(reader, metric, single, before, parts, per_million)
    of_whole, of_parts = assess_changes(metric, whole, parts, sums, customers, draws, seed)
    return SignificanceResult(
        question, before, of_whole, of_parts, draws, customers, sums.size, seed
    )


def assess_changes(
    metric: Metric,
    whole: pd.DataFrame,
    parts: pd.DataFrame,
    sums: CustomerSums,
    customers: int,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[pd.Series, pd.DataFrame]:
    """Return the whole and the parts with interval, p and verdict.

    Parameters
    ----------
    whole, parts
        As `compare_periods` returns them.
    sums
        Of all `customers` or of a sample of them, its parts in the order of `parts`.
    """
    is_ratio = metric.denominator_sql is not None
    resampled = resample(sums, draws, seed)
    scale = np.sqrt(sums.size / customers) if customers else 1.0
    if not is_ratio and sums.size:
        scale *= customers / sums.size
    # The draws of the whole are the sums over its parts.
    totals = sums.totals()
    spread = _spread(resampled.sum(axis=1, keepdims=True), totals.sum(axis=0), is_ratio) * scale
    of_whole = _test_board(
        whole, metric, spread, np.array([sums.size]), degrees_of_freedom(sums.whole(), is_ratio)
    )
    if parts.empty:
        return of_whole.iloc[0], of_whole.iloc[:0]
    spread = _spread(resampled, totals, is_ratio) * scale
    sizes = np.bincount(sums.part, minlength=sums.parts)
    of_parts = _test_board(parts, metric, spread, sizes, degrees_of_freedom(sums, is_ratio))
    return of_whole.iloc[0], of_parts


def _spread(drawn: np.ndarray, totals: np.ndarray, is_ratio: bool) -> np.ndarray:
    """Draws × parts: each drawn change less the change of the customers drawn from (`totals`)."""
    return changes(drawn, is_ratio) - changes(totals, is_ratio)


def _count_customers(
    reader: EditionReader, metric: Metric, question: Question, before: date
) -> int:
    """Count the customers in the metric's population in either month."""
    params: dict[str, Any] = {}
    populations = []
    # loan_life as of the later day has every loan of the earlier day too.
    days = (before, question.as_of) if metric.source.is_monthly else (question.as_of,)
    for day in days:
        builder = SqlBuilder(reader, metric, question.with_changes(as_of=day, by=()), params)
        relation = builder.relation([day], f"({builder.metric.population})")
        populations.append(f"select fact.customer_key {relation}")
    sql = f"select count(distinct customer_key) from ({' union all '.join(populations)})"
    row = reader.one(sql, None, **params)
    return int(row[0]) if row else 0


def _customer_sums(
    reader: EditionReader,
    metric: Metric,
    question: Question,
    before: date,
    parts: pd.DataFrame,
    per_million: int,
) -> CustomerSums:
    """Return the sums of the customers sampled, `per_million` of a million, parts as in `parts`."""
    months = [
        _sums_by_customer(reader, metric, question.with_changes(as_of=day), per_million)
        for day in (before, question.as_of)
    ]
    rows = pd.concat(
        [frame.assign(month=month) for month, frame in enumerate(months)], ignore_index=True
    )
    width = max(1, len(parts))
    part = np.zeros(len(rows), dtype=np.int64)
    if question.by:
        keys = list(question.by)
        positions = parts[keys].assign(part=np.arange(len(parts)))
        part = rows.merge(positions, on=keys, how="left", sort=False)["part"].to_numpy(np.int64)
    customers, customer = np.unique(rows["customer_key"].to_numpy(), return_inverse=True)
    cells, cell = np.unique(customer * width + part, return_inverse=True)
    month = rows["month"].to_numpy()
    sums = np.zeros((len(cells), 4))
    for half, name in enumerate(("numerator", "denominator")):
        np.add.at(sums, (cell, month * 2 + half), rows[name].to_numpy(dtype=float))
    return CustomerSums(cells // width, cells % width, sums, len(customers), width)


def _sums_by_customer(
    reader: EditionReader, metric: Metric, question: Question, per_million: int
) -> pd.DataFrame:
    """One month: customer_key, the dimensions, numerator, denominator."""
    builder = SqlBuilder(reader, metric, question)
    metric = builder.metric
    columns = ["fact.customer_key"]
    for name in question.by:
        sql = builder.expression(name)
        columns.append(f"coalesce(cast({sql} as varchar), '{UNKNOWN}') as \"{name}\"")
    columns += [
        f"cast(coalesce({metric.numerator_sql}, 0) as double) as numerator",
        f"cast(coalesce({metric.denominator_sql or '0'}, 0) as double) as denominator",
    ]
    conditions = []
    if per_million < _MILLION:
        conditions.append(f"hash(fact.customer_key) % {_MILLION} < $per_million")
        builder.params["per_million"] = per_million
    relation = builder.relation([question.as_of], *conditions)
    having = f"numerator <> 0 or denominator <> 0 or {metric.n_sql} > 0"
    sql = f"select {', '.join(columns)}\n{relation}\ngroup by all\nhaving {having}"
    return reader.query(sql, None, **builder.params)


def _test_board(
    board: pd.DataFrame, metric: Metric, spread: np.ndarray, sizes: np.ndarray, freedom: np.ndarray
) -> pd.DataFrame:
    """Test every row of a board; its p values are adjusted together.

    Parameters
    ----------
    spread
        Draws × rows: each drawn change less the change of the customers drawn from.
    sizes
        By row, the number of customers drawn from.
    freedom
        By row, as `degrees_of_freedom` returns it.
    """
    change = _observed_change(board, metric)
    smallest = np.minimum(board[["n", "n_before"]].min(axis=1).to_numpy(), sizes)
    is_tested = (smallest >= MIN_GROUP_SIZE) & np.isfinite(change)
    low, high, p, adjusted = np.full((4, len(board)), np.nan)
    for row in np.flatnonzero(is_tested):
        draws_of_change = change[row] + spread[np.isfinite(spread[:, row]), row]
        tail = 100 * norm.cdf(student.ppf(LEVEL / 2, freedom[row]))
        low[row], high[row] = np.percentile(draws_of_change, [tail, 100 - tail])
        p[row] = 2 * student.sf(norm.isf(_p_value(draws_of_change, change[row]) / 2), freedom[row])
    if is_tested.any():
        adjusted[is_tested] = multipletests(p[is_tested], alpha=LEVEL, method="fdr_bh")[1]
    verdict = np.where(change > 0, RISE, FALL)
    verdict = np.where(adjusted < LEVEL, verdict, NOT_SIGNIFICANT)
    value_low, value_high = _wilson_interval(board, metric)
    sums = [name for name in board if str(name).startswith(("numerator", "denominator"))]
    return board.drop(columns=sums).assign(
        change=change,
        low=low,
        high=high,
        p=p,
        p_adjusted=adjusted,
        verdict=np.where(is_tested, verdict, TOO_FEW),
        value_low=value_low,
        value_high=value_high,
    )


def _observed_change(board: pd.DataFrame, metric: Metric) -> np.ndarray:
    name = "numerator" if metric.denominator_sql is None else "value"
    later = board[name].to_numpy(dtype=float)
    return later - board[f"{name}_before"].to_numpy(dtype=float)


def _wilson_interval(board: pd.DataFrame, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % Wilson interval of the later value; NaN where it is no share of rows."""
    if not metric.counts_rows:
        nothing = np.full(len(board), np.nan)
        return nothing, nothing
    total = board["denominator"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = proportion_confint(
            board["numerator"].to_numpy(),
            np.where(total > 0, total, np.nan),
            alpha=LEVEL,
            method="wilson",
        )
    return np.asarray(low), np.asarray(high)


def _p_value(drawn: np.ndarray, change: float) -> float:
    """Return the two-sided p of no change: twice the rarer side of the draws.

    Where no draw lies on the rarer side, the tail of a normal distribution continues the draws, so
    that very small p values of many parts still differ.
    """
    below = int((drawn <= 0).sum())
    above = int((drawn >= 0).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / (len(drawn) + 1))
    width = drawn.std()
    if min(below, above) or width <= 0:
        return p
    return min(p, float(2 * norm.sf(abs(change) / width)))
