"""Where the book is going if it moves as it did: its tiers or days past due in 3 and 6 months, and how right that was.

A Markov chain of monthly moves: the pooled matrix of the last twelve months carries today's stock forward, with the
joiners of an average month added and the leavers taken out. The band draws months of those twelve with replacement, as
they were. The back-test makes the same forecast at each of the last twelve month ends from which the outcome is known,
using only what was known then, and compares it with "no change".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analytics.metrics.buckets import buckets_named
from analytics.metrics.definitions import metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import Question, check
from analytics.metrics.sql_builder import SqlBuilder
from analytics.rulebooks.registry import schemes
from analytics.sql.templates import load
from data.dates import month_end
from data.errors import UserError

HORIZONS = (3, 6)
MONTHS, LEAST, TESTS, DRAWS = 12, 3, 12, 500
BAND = (5, 95)
BY = ("class", "bucket")
MEASURES = ("n", "balance")
OUTSIDE = 255


@dataclass(frozen=True)
class Forecast:
    """ahead: horizon (months), as_of, state, share_now, share, low, high (90 % band; shares of the book),
    amount (loans, customers or CNY). tests: horizon, forecasts (how many), error, error_naive (mean absolute
    error of a share), beats (None without a test). `months`: how many monthly matrices were pooled; `measure`:
    n or balance; `unit`: loans or customers."""

    ahead: pd.DataFrame
    tests: pd.DataFrame
    months: int
    measure: str
    unit: str


def forecast(
    bank, question: Question, by: str = "class", measure: str = "n", buckets: str = "standard", seed: int = 0
) -> Forecast:  # fmt: skip
    """Shares of the tiers of question.scheme (by class, as of the day itself) or of `buckets` (by bucket) to come.

    Raises UserError as `ask` does, and where fewer than four month ends are there.
    """
    if by not in BY or measure not in MEASURES:
        raise UserError("forecast_options", by=BY, by_2=by, measure=measure)
    of_loans = by == "bucket" or schemes()[question.scheme].grain == "loan"
    asked = question.about(
        "loans" if of_loans else "customers", by=(), opening=0, last=1, compare=None
    )
    back = MONTHS + TESTS + max(HORIZONS)
    with bank.session() as view:
        check(view, asked)
        months = [
            day
            for day in metadata(view).months
            if month_end(asked.as_of, -back) <= day <= asked.as_of
        ]
        if len(months) < LEAST + 1:
            raise UserError("forecast_needs_months", least=LEAST + 1, count_months=len(months))
        states = (
            buckets_named(buckets).codes
            if by == "bucket"
            else schemes()[question.scheme].class_codes
        )
        books = (
            _book(view, asked.about(as_of=day), of_loans, by, buckets, states) for day in months
        )
        chain = _Chain(books, list(states), measure)
    rows, rng = [], np.random.default_rng(seed)
    last = len(chain.opening) - 1
    for horizon in HORIZONS:
        stock, drawn = chain.ahead(last, horizon), chain.band(last, horizon, rng)
        low, high = np.percentile(drawn, BAND, axis=0)
        now, then = _shares(chain.stocks[last + 1]), _shares(stock)
        for place, state in enumerate(chain.states):
            rows.append({
                "horizon": horizon, "as_of": month_end(asked.as_of, horizon), "state": state, "share_now": now[place],
                "share": then[place], "low": low[place], "high": high[place], "amount": stock[place],
            })  # fmt: skip
    tests = pd.DataFrame([chain.test(horizon) for horizon in HORIZONS])
    return Forecast(
        pd.DataFrame(rows),
        tests,
        min(MONTHS, last + 1),
        measure,
        "loans" if of_loans else "customers",
    )


Book = tuple[np.ndarray, np.ndarray, np.ndarray]


def _book(
    view, asked: Question, of_loans: bool, by: str, buckets: str, states: Sequence[str]
) -> Book:
    """Who stands in the book at one month end: numbers, places of their states among `states`, balances.

    A state that is none of them (no class, days unknown) is outside the book.
    """
    writer = SqlBuilder(view, metric_named(asked.metric), asked)
    put = {
        "key": "loan_key" if of_loans else "customer_key",
        "balance": "balance" if of_loans else "loan_balance",
        "mart": "loan_month" if of_loans else "customer_month",
        "state": buckets_named(buckets).place_sql if by == "bucket" else writer.expression("class"),
        "asked": writer.conditions([asked.as_of]),
        "joins": "\n".join(writer.joins.values()),
    }
    table = view.arrow(load("questions/month_positions", **put), None, **writer.params)
    if by == "bucket":
        place = table["state"].to_numpy()
    else:
        # Classes come as places in their enum, so that millions of them are no texts.
        state = table["state"].combine_chunks()
        state = state if hasattr(state, "indices") else state.dictionary_encode()
        codes = [*state.dictionary.to_pylist(), None]
        places = np.array(
            [states.index(code) if code in states else OUTSIDE for code in codes], dtype=np.uint8
        )
        place = places[state.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)]
    held = place != OUTSIDE
    return tuple(
        column[held] for column in (table["key"].to_numpy(), place, table["balance"].to_numpy())
    )


def _shares(stock: np.ndarray) -> np.ndarray:
    total = stock.sum(axis=-1, keepdims=True)
    return np.divide(stock, total, out=np.zeros_like(stock, dtype=float), where=total > 0)


class _Chain:
    """Monthly moves as arrays: `opening` m × k, `moved` m × k × k, `joined` m × k, `stocks` (m + 1) × k, of `states`.

    Numbers of loans and customers are dense, so that where each stood a month before is looked up, not joined.
    """

    def __init__(self, books: Iterable[Book], states: list[str], measure: str) -> None:
        size = len(states)
        stocks, moved, joined = [], [], []
        stood = np.empty(0, dtype=np.uint8)
        for key, place, balance in books:
            weight = balance if measure == "balance" else np.ones(len(key))
            if stocks:
                missing = max(0, int(key.max(initial=-1)) + 1 - len(stood))
                before = np.append(stood, np.full(missing, OUTSIDE, dtype=np.uint8))[key]
                stayed = before != OUTSIDE
                cell = before[stayed].astype(np.intp) * size + place[stayed]
                moved.append(np.bincount(cell, weight[stayed], size * size).reshape(size, size))
                joined.append(np.bincount(place[~stayed], weight[~stayed], size))
            stocks.append(np.bincount(place, weight, size))
            stood = np.full(int(key.max(initial=-1)) + 1, OUTSIDE, dtype=np.uint8)
            stood[key] = place
        held = np.flatnonzero(np.sum(stocks, axis=0) > 0)
        self.states = [states[at] for at in held]
        self.stocks = np.array(stocks)[:, held]
        self.opening, self.joined = self.stocks[:-1], np.array(joined)[:, held]
        self.moved = np.array(moved)[:, held][:, :, held]

    def _pooled(self, last: int) -> tuple[np.ndarray, np.ndarray]:
        """The matrix and the joiners of an average month, of the twelve up to `last`."""
        window = slice(max(0, last + 1 - MONTHS), last + 1)
        opening = self.opening[window].sum(axis=0)
        rates = np.divide(
            self.moved[window].sum(axis=0),
            opening[:, None],
            out=np.eye(len(opening)),
            where=opening[:, None] > 0,
        )
        return rates, self.joined[window].mean(axis=0)

    def ahead(self, last: int, horizon: int) -> np.ndarray:
        """The stock `horizon` months after month `last`."""
        rates, joined = self._pooled(last)
        stock = self.stocks[last + 1]
        for _ in range(horizon):
            stock = stock @ rates + joined
        return stock

    def band(self, last: int, horizon: int, rng: np.random.Generator) -> np.ndarray:
        """Draws × k: shares when each month to come is one of the pooled months as it was."""
        pooled, _ = self._pooled(last)
        window = np.arange(max(0, last + 1 - MONTHS), last + 1)
        opening = self.opening[window][:, :, None]
        rates = np.where(
            opening > 0, self.moved[window] / np.where(opening > 0, opening, 1), pooled
        )
        stock = np.tile(self.stocks[last + 1], (DRAWS, 1))
        for _ in range(horizon):
            month = rng.integers(0, len(window), DRAWS)
            stock = np.einsum("dk,dkj->dj", stock, rates[month]) + self.joined[window][month]
        return _shares(stock)

    def test(self, horizon: int) -> dict:
        """The error of the last forecasts whose outcome is known, and of "no change"."""
        ends = [
            last
            for last in range(LEAST - 1, len(self.opening))
            if last + horizon < len(self.opening)
        ][-TESTS:]
        made, naive = [], []
        for last in ends:
            came = _shares(self.stocks[last + 1 + horizon])
            made.append(np.abs(_shares(self.ahead(last, horizon)) - came).mean())
            naive.append(np.abs(_shares(self.stocks[last + 1]) - came).mean())
        if not ends:
            return {
                "horizon": horizon,
                "forecasts": 0,
                "error": np.nan,
                "error_naive": np.nan,
                "beats": None,
            }
        error, error_naive = float(np.mean(made)), float(np.mean(naive))
        return {
            "horizon": horizon, "forecasts": len(ends), "error": error, "error_naive": error_naive,
            "beats": error < error_naive,
        }  # fmt: skip
