"""make bench: results of the significance test on invented books with known truth, and its time.

BANKS in the environment changes how many books are invented for each line (500).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from analytics.analysis.bootstrap import resample
from analytics.analysis.significance import LEVEL, assess_changes
from analytics.metrics.definitions import METRICS, Metric
from tests.support.invented_books import book, errors

BOOKS = int(os.environ.get("BANKS", "500"))
HEADS = METRICS["overdue_rate_30_customers"]
MONEY = METRICS["overdue_rate_30"]


@dataclass(frozen=True)
class Case:
    """One line of the table: books of one size with one true change."""

    name: str
    metric: Metric
    customers: int
    books: int
    rise: float
    money: bool


def shares(case: Case) -> tuple[float, ...]:
    """Return five shares of one over all books of a case.

    Intervals that cover the truth, of whole books and of their parts; whole books and parts that
    are called significant; parts that a test with the true standard error would call significant.
    """
    covered: list[float] = []
    parts_covered: list[float] = []
    significant: list[float] = []
    parts_significant: list[float] = []
    detectable: list[float] = []
    for seed in range(case.books):
        whole, parts, sums = book(case.customers, seed, rise=case.rise, money=case.money)
        total, board = assess_changes(
            case.metric, whole, parts, sums, case.customers, draws=1_000, seed=seed
        )
        covered.append(total["low"] <= case.rise <= total["high"])
        tested = board[board["low"].notna()]
        parts_covered += list((tested["low"] <= case.rise) & (case.rise <= tested["high"]))
        significant.append(total["verdict"] in ("rise", "fall"))
        parts_significant.append(board["verdict"].isin(["rise", "fall"]).mean())
        change = (parts["value"] - parts["value_before"]).to_numpy()
        p = 2 * norm.sf(np.abs(change) / errors(sums, rise=case.rise))
        detectable.append(multipletests(p, LEVEL, method="fdr_bh")[0].mean())
    lists = (covered, parts_covered, significant, parts_significant, detectable)
    return tuple(float(np.mean(values)) for values in lists)


def main() -> None:
    """Print one line per case and the time of one bootstrap."""
    print(f"{BOOKS} invented books a line; 95 % intervals should cover between 93 % and 97 %")
    print(
        f"{'':<44}{'covered: wholes, parts':>24}{'significant: wholes, parts':>28}"
        f"{'parts, errors known':>22}"
    )
    few = max(BOOKS // 10, 1)
    cases = [
        Case("no change, 2,000 customers, by heads", HEADS, 2_000, BOOKS, 0.0, False),
        Case("no change, 2,000 customers, by balance", MONEY, 2_000, BOOKS, 0.0, True),
        Case("no change, 400 customers, by balance", MONEY, 400, BOOKS, 0.0, True),
        Case("one point up, 20,000 customers, by heads", HEADS, 20_000, BOOKS // 5, 0.01, False),
        Case("one point up, 20,000 customers, by balance", MONEY, 20_000, few, 0.01, True),
    ]
    for case in cases:
        covered, parts_covered, significant, parts_significant, detectable = (
            f"{share:.1%}" for share in shares(case)
        )
        print(
            f"{case.name:<44}{covered:>14}{parts_covered:>10}{significant:>18}"
            f"{parts_significant:>10}{detectable:>22}",
            flush=True,
        )
    _, _, sums = book(200_000, 1, money=True)
    started = time.perf_counter()
    processor_started = time.process_time()
    resample(sums, 1_000, 0)
    seconds = time.perf_counter() - started
    processor_seconds = time.process_time() - processor_started
    print(
        f"\n1,000 draws over 200,000 customers by balance: "
        f"{seconds:.2f} s, {processor_seconds:.2f} s of processor"
    )


if __name__ == "__main__":
    main()
