"""Where the book is going if it moves as it did: its tiers or days past due in 3 and 6 months, and how right that was.

A Markov chain of monthly moves: the pooled matrix of the last twelve months carries today's stock forward, with the
joiners of an average month added and the leavers taken out. The band draws months of those twelve with replacement, as
they were. The back-test makes the same forecast at each of the last twelve month ends from which the outcome is known,
using only what was known then, and compares it with "no change".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.buckets import buckets_named
from analytics.build import month_end
from analytics.declared import metric_named
from analytics.metrics import Question, Writer, check, known, schemes
from data.engine import Refused

SQL = Path(__file__).parent / "sql" / "questions"
HORIZONS = (3, 6)
MONTHS, LEAST, TESTS, DRAWS = 12, 3, 12, 500
BAND = (5, 95)
BY = ("class", "bucket")
MEASURES = {"n": ("n", "n"), "balance": ("balance_before", "balance")}


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

    Raises Refused as `ask` does, and where fewer than four month ends are there.
    """
    if by not in BY or measure not in MEASURES:
        raise Refused(
            f"预测只能按 {'、'.join(BY)}，以 n 或 balance 计。"
            f"A forecast is by {' or '.join(BY)}, in n or balance, not by {by!r} in {measure!r}."
        )
    of_loans = by == "bucket" or schemes()[question.scheme].grain == "loan"
    asked = question.about("loans" if of_loans else "customers", by=(), opening=0, last=1, compare=None)
    back = MONTHS + TESTS + max(HORIZONS)
    with bank.lease() as view:
        check(view, asked)
        months = [day for day in known(view).months if month_end(asked.as_of, -back) <= day <= asked.as_of]
        if len(months) < LEAST + 1:
            raise Refused(
                f"数据不足：预测至少需要 {LEAST + 1} 个月末，现有 {len(months)} 个。"
                f"A forecast needs {LEAST + 1} month ends; there are {len(months)}."
            )
        moves = _moves(view, asked, of_loans, by, buckets, months)
    codes = buckets_named(buckets).codes if by == "bucket" else schemes()[question.scheme].class_codes
    states = [code for code in codes if code in {*moves["before"], *moves["after"]}]
    chain = _Chain(moves, states, measure, months[1:])
    rows, rng = [], np.random.default_rng(seed)
    last = len(chain.opening) - 1
    for horizon in HORIZONS:
        stock, drawn = chain.ahead(last, horizon), chain.band(last, horizon, rng)
        low, high = np.percentile(drawn, BAND, axis=0)
        now, then = _shares(chain.stocks[last + 1]), _shares(stock)
        for place, state in enumerate(states):
            rows.append({
                "horizon": horizon, "as_of": month_end(asked.as_of, horizon), "state": state, "share_now": now[place],
                "share": then[place], "low": low[place], "high": high[place], "amount": stock[place],
            })  # fmt: skip
    tests = pd.DataFrame([chain.test(horizon) for horizon in HORIZONS])
    return Forecast(pd.DataFrame(rows), tests, min(MONTHS, last + 1), measure, "loans" if of_loans else "customers")


def _moves(view, asked: Question, of_loans: bool, by: str, buckets: str, months: list) -> pd.DataFrame:
    writer = Writer(view, metric_named(asked.metric), asked)
    state = buckets_named(buckets).sql if by == "bucket" else f"cast({writer.expression('class')} as varchar)"
    put = {
        "key": "loan_key" if of_loans else "customer_key",
        "balance": "balance" if of_loans else "loan_balance",
        "mart": "loan_month" if of_loans else "customer_month",
        "state": f"coalesce({state}, 'unrated')",
        "asked": writer.conditions(months),
        "joins": "\n    ".join(writer.joins.values()),
    }
    text = (SQL / "monthly_moves.sql").read_text("utf-8")
    for name, sql in put.items():
        text = text.replace("{" + name + "}", sql)
    return view.query(text, None, **writer.params, moved_from=months[1], moved_until=months[-1])


def _shares(stock: np.ndarray) -> np.ndarray:
    total = stock.sum(axis=-1, keepdims=True)
    return np.divide(stock, total, out=np.zeros_like(stock, dtype=float), where=total > 0)


class _Chain:
    """Monthly moves as arrays: `opening` m × k, `moved` m × k × k, `joined` m × k, `stocks` (m + 1) × k."""

    def __init__(self, moves: pd.DataFrame, states: list[str], measure: str, months: list) -> None:
        before, after = MEASURES[measure]
        place = {state: i for i, state in enumerate(states)}
        when = {pd.Timestamp(month): i for i, month in enumerate(months)}
        size = len(states)
        self.opening, self.joined = np.zeros((len(months), size)), np.zeros((len(months), size))
        self.moved = np.zeros((len(months), size, size))
        for row in moves.itertuples():
            at, source, target = when[pd.Timestamp(row.as_of)], place.get(row.before), place.get(row.after)
            if source is not None:
                self.opening[at, source] += getattr(row, before)
            if source is not None and target is not None:
                self.moved[at, source, target] += getattr(row, after)
            if source is None and target is not None:
                self.joined[at, target] += getattr(row, after)
        self.stocks = np.vstack([self.opening[:1], self.moved.sum(axis=1) + self.joined])

    def _pooled(self, last: int) -> tuple[np.ndarray, np.ndarray]:
        """The matrix and the joiners of an average month, of the twelve up to `last`."""
        window = slice(max(0, last + 1 - MONTHS), last + 1)
        opening = self.opening[window].sum(axis=0)
        rates = np.divide(
            self.moved[window].sum(axis=0), opening[:, None], out=np.eye(len(opening)), where=opening[:, None] > 0
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
        rates = np.where(opening > 0, self.moved[window] / np.where(opening > 0, opening, 1), pooled)
        stock = np.tile(self.stocks[last + 1], (DRAWS, 1))
        for _ in range(horizon):
            month = rng.integers(0, len(window), DRAWS)
            stock = np.einsum("dk,dkj->dj", stock, rates[month]) + self.joined[window][month]
        return _shares(stock)

    def test(self, horizon: int) -> dict:
        """The error of the last forecasts whose outcome is known, and of "no change"."""
        ends = [last for last in range(LEAST - 1, len(self.opening)) if last + horizon < len(self.opening)][-TESTS:]
        made, naive = [], []
        for last in ends:
            came = _shares(self.stocks[last + 1 + horizon])
            made.append(np.abs(_shares(self.ahead(last, horizon)) - came).mean())
            naive.append(np.abs(_shares(self.stocks[last + 1]) - came).mean())
        if not ends:
            return {"horizon": horizon, "forecasts": 0, "error": np.nan, "error_naive": np.nan, "beats": None}
        error, error_naive = float(np.mean(made)), float(np.mean(naive))
        return {
            "horizon": horizon, "forecasts": len(ends), "error": error, "error_naive": error_naive,
            "beats": error < error_naive,
        }  # fmt: skip
