"""Forecast of the book by classes or days past due in 3 and 6 months, with its back-test.

A Markov chain of monthly moves: the mean matrix of the last twelve months carries today's stock
forward, with the joiners of a mean month added and the leavers taken out. The band draws months of
those twelve with replacement. The back-test makes the same forecast at each of the last twelve
month ends whose outcome is in the data, from the data of that day, and compares it with "no
change".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from analytics.metrics.buckets import bucket_set_named
from analytics.metrics.definitions import metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import check
from analytics.metrics.question import Question
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from analytics.sql.templates import load
from data.dates import month_end
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

HORIZONS = (3, 6)
MONTHS = 12
MIN_MONTHS = 3
TESTS = 12
DRAWS = 500
BAND = (5, 95)
BY = ("class", "bucket")
MEASURES = ("n", "balance")
# The slot of what is in no state: no class, or unknown days past due.
OUTSIDE = 255


@dataclass(frozen=True)
class Forecast:
    """The book to come and the back-test.

    Attributes
    ----------
    ahead
        horizon (months), as_of, state, share_now, share, low, high (90 % band; shares of the book),
        amount (loans, customers or CNY).
    tests
        horizon, forecasts (how many), error, error_naive (mean absolute error of a share, of the
        forecast and of "no change"), beats (None without a test).
    months
        Number of monthly matrices in the mean.
    measure
        n or balance.
    unit
        loans or customers.
    """

    ahead: pd.DataFrame
    tests: pd.DataFrame
    months: int
    measure: str
    unit: str


class Positions(NamedTuple):
    """The book at one month end, by loan or customer: key, slot of its state, balance."""

    key: np.ndarray
    slot: np.ndarray
    balance: np.ndarray


def forecast(
    warehouse: Warehouse,
    question: Question,
    by: str = "class",
    measure: str = "n",
    buckets: str = "standard",
    seed: int = 0,
) -> Forecast:
    """Forecast the shares of the classes of question.scheme, or of the days-past-due `buckets`.

    Raises
    ------
    UserError
        As `ask`, and with fewer than four month ends.
    """
    if by not in BY or measure not in MEASURES:
        raise UserError("forecast_options", by=BY, by_2=by, measure=measure)
    is_of_loans = by == "bucket" or schemes()[question.scheme].grain == "loan"
    metric = "loans" if is_of_loans else "customers"
    single = question.with_changes(metric, by=(), opening=0, last=1, compare=None)
    if by == "bucket":
        states = bucket_set_named(buckets).codes
    else:
        states = schemes()[question.scheme].class_codes
    with warehouse.session() as reader:
        months = _months(reader, single)
        positions = (
            _positions(
                reader, single.with_changes(as_of=day), states, buckets if by == "bucket" else ""
            )
            for day in months
        )
        chain = _MarkovChain(positions, list(states), measure)
    rng = np.random.default_rng(seed)
    ahead = pd.concat(
        [_ahead(chain, horizon, single.as_of, rng) for horizon in HORIZONS], ignore_index=True
    )
    tests = pd.DataFrame([chain.test(horizon) for horizon in HORIZONS])
    return Forecast(ahead, tests, min(MONTHS, len(chain.opening)), measure, metric)


def _months(reader: EditionReader, question: Question) -> list[date]:
    """Return the month ends that forecast and back-test use."""
    check(reader, question)
    first = month_end(question.as_of, -(MONTHS + TESTS + max(HORIZONS)))
    months = [day for day in metadata(reader).months if first <= day <= question.as_of]
    if len(months) < MIN_MONTHS + 1:
        raise UserError("forecast_needs_months", least=MIN_MONTHS + 1, count_months=len(months))
    return months


def _ahead(
    chain: _MarkovChain, horizon: int, as_of: date, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the rows of one horizon, one per state."""
    last = len(chain.opening) - 1
    stock = chain.ahead(last, horizon)
    low, high = np.percentile(chain.draw_shares(last, horizon, rng), BAND, axis=0)
    return pd.DataFrame(
        {
            "horizon": horizon,
            "as_of": month_end(as_of, horizon),
            "state": chain.states,
            "share_now": _shares(chain.stocks[last + 1]),
            "share": _shares(stock),
            "low": low,
            "high": high,
            "amount": stock,
        }
    )


def _positions(
    reader: EditionReader, question: Question, states: Sequence[str], buckets: str
) -> Positions:
    """Return the loans or customers in one of the states at the question's month end.

    The states are classes where `buckets` is empty.
    """
    is_of_loans = question.metric == "loans"
    builder = SqlBuilder(reader, metric_named(question.metric), question)
    state = bucket_set_named(buckets).position_sql if buckets else builder.expression("class")
    conditions = builder.conditions([question.as_of])
    sql = load(
        "questions/month_positions",
        key="loan_key" if is_of_loans else "customer_key",
        balance="balance" if is_of_loans else "loan_balance",
        mart="loan_month" if is_of_loans else "customer_month",
        state=state,
        conditions=conditions,
        joins=builder.joins_sql,
    )
    table = reader.arrow(sql, None, **builder.params)
    slot = table["state"].to_numpy() if buckets else _slots(table["state"], states)
    is_inside = slot != OUTSIDE
    key = table["key"].to_numpy()[is_inside]
    return Positions(key, slot[is_inside], table["balance"].to_numpy()[is_inside])


def _slots(column: pa.ChunkedArray, states: Sequence[str]) -> np.ndarray:
    """Return the slot of each class among `states`.

    Classes arrive as codes of an enum and are mapped as such: millions of texts would take longer.
    """
    codes = column.combine_chunks()
    if not isinstance(codes, pa.DictionaryArray):
        codes = codes.dictionary_encode()
    names = [*codes.dictionary.to_pylist(), None]
    slots = [states.index(name) if name in states else OUTSIDE for name in names]
    indices = codes.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
    return np.array(slots, dtype=np.uint8)[indices]


def _shares(stock: np.ndarray) -> np.ndarray:
    """… × states → the same, each row ÷ its sum; 0 where the sum is 0."""
    total = stock.sum(axis=-1, keepdims=True)
    return np.divide(stock, total, out=np.zeros_like(stock, dtype=float), where=total > 0)


class _MarkovChain:
    """Monthly moves of m months between k states.

    Attributes
    ----------
    states
        The k states that occur.
    stocks
        (m + 1) × k: number or balance at each month end.
    opening
        m × k: `stocks` without the last month end.
    moved
        m × k × k: of those in the book at both ends of a month, from state to state.
    joined
        m × k: those who were not in the book a month before.
    """

    def __init__(self, books: Iterable[Positions], states: list[str], measure: str) -> None:
        size = len(states)
        stocks: list[np.ndarray] = []
        moved: list[np.ndarray] = []
        joined: list[np.ndarray] = []
        # Slot by key a month before. Keys are dense, so that it is an array, not a join.
        previous = np.empty(0, dtype=np.uint8)
        for book in books:
            key, slot, balance = book
            weight = balance if measure == "balance" else np.ones(len(key))
            highest = int(key.max(initial=-1)) + 1
            if stocks:
                missing = np.full(max(0, highest - len(previous)), OUTSIDE, dtype=np.uint8)
                before = np.append(previous, missing)[key]
                stayed = before != OUTSIDE
                cell = before[stayed].astype(np.intp) * size + slot[stayed]
                moved.append(np.bincount(cell, weight[stayed], size * size).reshape(size, size))
                joined.append(np.bincount(slot[~stayed], weight[~stayed], size))
            stocks.append(np.bincount(slot, weight, size))
            previous = np.full(highest, OUTSIDE, dtype=np.uint8)
            previous[key] = slot
        occurs = np.flatnonzero(np.sum(stocks, axis=0) > 0)
        self.states = [states[index] for index in occurs]
        self.stocks = np.array(stocks)[:, occurs]
        self.opening = self.stocks[:-1]
        self.joined = np.array(joined)[:, occurs]
        self.moved = np.array(moved)[:, occurs][:, :, occurs]

    def _window(self, last: int) -> slice:
        return slice(max(0, last + 1 - MONTHS), last + 1)

    def _mean_month(self, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the matrix of rates and the joiners of a mean month of the twelve up to `last`."""
        window = self._window(last)
        opening = self.opening[window].sum(axis=0)
        rates = np.divide(
            self.moved[window].sum(axis=0),
            opening[:, None],
            out=np.eye(len(opening)),
            where=opening[:, None] > 0,
        )
        return rates, self.joined[window].mean(axis=0)

    def ahead(self, last: int, horizon: int) -> np.ndarray:
        """Return the stock of each state `horizon` months after month `last`."""
        rates, joined = self._mean_month(last)
        stock = self.stocks[last + 1]
        for _ in range(horizon):
            stock = stock @ rates + joined
        return stock

    def draw_shares(self, last: int, horizon: int, rng: np.random.Generator) -> np.ndarray:
        """Return draws × states: shares when each coming month repeats one of the last twelve."""
        mean_rates, _ = self._mean_month(last)
        window = self._window(last)
        opening = self.opening[window][:, :, None]
        divisor = np.where(opening > 0, opening, 1)
        rates = np.where(opening > 0, self.moved[window] / divisor, mean_rates)
        joined = self.joined[window]
        stock = np.tile(self.stocks[last + 1], (DRAWS, 1))
        for _ in range(horizon):
            month = rng.integers(0, len(joined), DRAWS)
            stock = np.einsum("dk,dkj->dj", stock, rates[month]) + joined[month]
        return _shares(stock)

    def test(self, horizon: int) -> dict[str, Any]:
        """Return the mean error of the last forecasts whose outcome is in the data."""
        months = range(MIN_MONTHS - 1, len(self.opening) - horizon)[-TESTS:]
        error = np.nan
        error_naive = np.nan
        beats = None
        if months:
            outcomes = {last: _shares(self.stocks[last + 1 + horizon]) for last in months}
            error = _mean_error(
                (_shares(self.ahead(last, horizon)), outcomes[last]) for last in months
            )
            error_naive = _mean_error(
                (_shares(self.stocks[last + 1]), outcomes[last]) for last in months
            )
            beats = error < error_naive
        return {
            "horizon": horizon,
            "forecasts": len(months),
            "error": error,
            "error_naive": error_naive,
            "beats": beats,
        }


def _mean_error(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """The mean over pairs of the mean absolute difference of shares."""
    return float(np.mean([np.abs(share - outcome).mean() for share, outcome in pairs]))
