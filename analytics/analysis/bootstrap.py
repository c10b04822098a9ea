"""The paired bootstrap of customers: their sums in both months, and draws of customers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class CustomerSums:
    """What each customer adds to each part, one row per customer and part.

    Attributes
    ----------
    who
        Customer of each row, 0 … size − 1.
    part
        Part of each row, 0 … parts − 1.
    sums
        rows × 4: numerator and denominator of the earlier month, then of the later one.
    """

    who: np.ndarray
    part: np.ndarray
    sums: np.ndarray
    size: int
    parts: int

    def whole(self) -> CustomerSums:
        """Return the same customers in one part."""
        table = np.zeros((self.size, 4))
        np.add.at(table, self.who, self.sums)
        part = np.zeros(self.size, dtype=np.int64)
        return CustomerSums(np.arange(self.size), part, table, self.size, 1)

    def totals(self) -> np.ndarray:
        """Return parts × 4: the sums over the customers."""
        totals = np.zeros((self.parts, 4))
        np.add.at(totals, self.part, self.sums)
        return totals


def resample(sums: CustomerSums, draws: int, seed: int) -> np.ndarray:
    """Return draws × parts × 4: the sums of `sums.size` customers drawn with replacement."""
    rng = np.random.default_rng(seed)
    out = np.zeros((draws, sums.parts, 4))
    if not sums.size:
        return out
    rows = (sums.part[:, None] * 4 + np.arange(4)).ravel()
    columns = np.repeat(sums.who, 4)
    values = sums.sums.ravel()
    is_set = values != 0
    shape = (sums.parts * 4, sums.size)
    matrix = csr_matrix((values[is_set], (rows[is_set], columns[is_set])), shape=shape)
    flat = out.reshape(draws, -1)
    matrix, weights_by_draw = _draw_weights(matrix, sums.size, draws, rng)
    for draw, weights in enumerate(weights_by_draw):
        flat[draw] = matrix @ weights
    return out


def _draw_weights(
    matrix: csr_matrix, size: int, draws: int, rng: np.random.Generator
) -> tuple[csr_matrix, Iterator[np.ndarray]]:
    """Return the matrix whose columns are drawn, and per draw how often each column was drawn.

    Customers with equal columns become one column, drawn by a multinomial distribution; where the
    metric counts customers, nearly all columns are equal to another one.
    """
    marks = matrix.T @ np.random.default_rng(1).random(matrix.shape[0])
    _, first, counts = np.unique(marks, return_index=True, return_counts=True)
    if len(first) * 10 <= size:
        weights = rng.multinomial(size, counts / size, size=draws).astype(float)
        return matrix[:, first], iter(weights)
    single = (
        np.bincount(rng.integers(0, size, size), minlength=size).astype(float) for _ in range(draws)
    )
    return matrix, single


def degrees_of_freedom(sums: CustomerSums, is_ratio: bool) -> np.ndarray:
    """Return by part the effective number of customers behind its change (Kish 1965).

    Each customer adds u to the change, to first order. The effective number is (Σ|u|)² ÷ Σu²: m for
    m equal customers, near 1 where one customer dominates.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        adds = _ratio_influence(sums) if is_ratio else _sum_influence(sums)
        total = np.bincount(sums.part, np.abs(adds), sums.parts)
        effective = total**2 / np.bincount(sums.part, adds**2, sums.parts)
    return np.where(np.isfinite(effective), np.maximum(effective, 1.0), np.inf)


def _ratio_influence(sums: CustomerSums) -> np.ndarray:
    """Return what each row adds to the change of its part's ratio, to first order."""
    totals = np.stack([np.bincount(sums.part, column, sums.parts) for column in sums.sums.T])
    influence = np.zeros(len(sums.part))
    for sign, month in ((1, 2), (-1, 0)):
        ratio = totals[month] / totals[month + 1]
        numerator = sums.sums[:, month]
        denominator = sums.sums[:, month + 1]
        residual = numerator - ratio[sums.part] * denominator
        influence = influence + sign * residual / totals[month + 1][sums.part]
    return influence


def _sum_influence(sums: CustomerSums) -> np.ndarray:
    """Return what each row adds to the change of its part's sum, less the mean of the part."""
    change = sums.sums[:, 2] - sums.sums[:, 0]
    rows = np.bincount(sums.part, minlength=sums.parts)
    mean = np.bincount(sums.part, change, sums.parts) / rows
    return change - mean[sums.part]


def changes(sums: np.ndarray, is_ratio: bool) -> np.ndarray:
    """… × parts × 4 → … × parts: later value less earlier value."""
    if not is_ratio:
        return sums[..., 2] - sums[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., 2] / sums[..., 3] - sums[..., 0] / sums[..., 1]
