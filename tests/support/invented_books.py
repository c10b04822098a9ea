"""Two month ends of an invented loan book as sums per customer, for tests of significance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.analysis.bootstrap import CustomerSums

# The share of customers whose status, overdue or not, does not change; the others are drawn again.
PERSISTENCE = 0.7


def book(
    customers: int,
    seed: int,
    rate: float = 0.05,
    rise: float = 0.0,
    parts: int = 4,
    money: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame, CustomerSums]:
    """Return the total, the parts and the sums per customer of a book.

    Parameters
    ----------
    rate, rise
        The probability of being overdue in the first month and its true increase.
    parts
        Number of parts to which customers belong at random.
    money
        Whether to weigh each customer by a lognormal balance.
    """
    rng = np.random.default_rng(seed)
    part = rng.integers(0, parts, customers)
    before = rng.random(customers) < rate
    # PERSISTENCE · rate + (1 − PERSISTENCE) · redrawn_rate = rate + rise
    redrawn_rate = rate + rise / (1 - PERSISTENCE)
    after = np.where(
        rng.random(customers) < PERSISTENCE, before, rng.random(customers) < redrawn_rate
    )
    weight = rng.lognormal(11, 1, customers) if money else np.ones(customers)
    later = weight * 0.95 if money else weight
    sums = np.stack([weight * before, weight, later * after, later], axis=1)
    return (
        _answer(np.zeros(customers, dtype=int), sums),
        _answer(part, sums).assign(part=[str(code) for code in range(parts)]),
        CustomerSums(np.arange(customers), part, sums, customers, parts),
    )


def errors(sums: CustomerSums, rate: float = 0.05, rise: float = 0.0) -> np.ndarray:
    """Return the true standard error of each part's change, given the balances."""
    redrawn_rate = rate + rise / (1 - PERSISTENCE)
    # Variance of one customer's change, which is 1, -1 or 0 and `rise` on average.
    variance = (
        (1 - rate) * (1 - PERSISTENCE) * redrawn_rate
        + rate * (1 - PERSISTENCE) * (1 - redrawn_rate)
        - rise**2
    )
    weight = sums.sums[:, 1]
    return np.sqrt(variance * np.bincount(sums.part, weight**2)) / np.bincount(sums.part, weight)


def _answer(part: np.ndarray, sums: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(
        sums, columns=["numerator_before", "denominator_before", "numerator", "denominator"]
    )
    answer = table.groupby(part).sum()
    counts = np.bincount(part)
    answer = answer.assign(
        value_before=answer["numerator_before"] / answer["denominator_before"],
        value=answer["numerator"] / answer["denominator"],
        n_before=counts,
        n=counts,
    )
    return answer.reset_index(drop=True)
