"""Two month ends of an invented book, as sums per customer, to see what the noise check says of them."""

import numpy as np
import pandas as pd

from analytics.analysis.bootstrap import CustomerSums

KEPT = 0.7  # of the customers stay overdue or not, as they were, from one month to the other


def book(
    customers: int,
    seed: int,
    rate: float = 0.05,
    rise: float = 0.0,
    parts: int = 4,
    money: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame, CustomerSums]:
    """The whole, the parts and the sums of customers of whom `rate` are overdue, and `rate + rise` the month after.

    `money` weighs each by a lognormal balance. The truth is told by the chances, so that with `rise` 0 nothing changed.
    """
    rng = np.random.default_rng(seed)
    part = rng.integers(0, parts, customers)
    before = rng.random(customers) < rate
    # KEPT · rate + (1 − KEPT) · again = rate + rise
    again = rate + rise / (1 - KEPT)
    after = np.where(rng.random(customers) < KEPT, before, rng.random(customers) < again)
    weight = rng.lognormal(11, 1, customers) if money else np.ones(customers)
    later = weight * 0.95 if money else weight
    sums = np.stack([weight * before, weight, later * after, later], axis=1)
    return (
        _answer(np.zeros(customers, dtype=int), sums),
        _answer(part, sums).assign(part=[str(code) for code in range(parts)]),
        CustomerSums(np.arange(customers), part, sums, customers, parts),
    )


def errors(sums: CustomerSums, rate: float = 0.05, rise: float = 0.0) -> np.ndarray:
    """The standard error of each part's change, by the chances that made the book and the balances as they are."""
    again = rate + rise / (1 - KEPT)
    # One customer's change: up by one, down by one, or none; on average `rise`.
    spread = (1 - rate) * (1 - KEPT) * again + rate * (1 - KEPT) * (1 - again) - rise**2
    weight = sums.sums[:, 1]
    return np.sqrt(spread * np.bincount(sums.part, weight**2)) / np.bincount(sums.part, weight)


def _answer(part: np.ndarray, sums: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(
        sums, columns=["numerator_before", "denominator_before", "numerator", "denominator"]
    )
    told = table.groupby(part).sum()
    n = np.bincount(part)
    return told.assign(
        value_before=told["numerator_before"] / told["denominator_before"],
        value=told["numerator"] / told["denominator"], n_before=n, n=n,
    ).reset_index(drop=True)  # fmt: skip
