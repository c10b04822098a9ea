"""make bench: what the noise check says of invented books whose truth is known, and how long it takes.

BANKS in the environment changes how many books are invented for each line (500).
"""

from __future__ import annotations

import os
import time

import numpy as np
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from analytics.analysis.bootstrap import resample
from analytics.analysis.significance import LEVEL, assess_changes
from analytics.metrics.definitions import METRICS
from tests.support.invented_books import book, errors

BANKS = int(os.environ.get("BANKS", "500"))
HEADS, MONEY = METRICS["overdue_rate_30_customers"], METRICS["overdue_rate_30"]


def told(metric, customers: int, banks: int, rise: float, money: bool) -> tuple[float, ...]:
    """Share of intervals of the wholes and of the parts that cover the truth, of wholes and of parts called
    significant, and of parts that a test would call so that knew the true error of each: more cannot honestly be found.
    """
    covered, parts_covered, parts_called, wholes_called, findable = [], [], [], [], []
    for seed in range(banks):
        whole, parts, sums = book(customers, seed, rise=rise, money=money)
        line, board = assess_changes(metric, whole, parts, sums, customers, draws=1_000, seed=seed)
        covered.append(line["low"] <= rise <= line["high"])
        judged = board[board["low"].notna()]
        parts_covered += list((judged["low"] <= rise) & (rise <= judged["high"]))
        parts_called.append(board["verdict"].isin(["rise", "fall"]).mean())
        wholes_called.append(line["verdict"] in ("rise", "fall"))
        change = (parts["value"] - parts["value_before"]).to_numpy()
        p = 2 * norm.sf(np.abs(change) / errors(sums, rise=rise))
        findable.append(multipletests(p, LEVEL, method="fdr_bh")[0].mean())
    return tuple(
        float(np.mean(found))
        for found in (covered, parts_covered, wholes_called, parts_called, findable)
    )


def main() -> None:
    print(f"{BANKS} invented books a line; 95 % intervals should cover between 93 % and 97 %")
    print(
        f"{'':<44}{'covered: wholes, parts':>24}{'significant: wholes, parts':>28}{'parts, errors known':>22}"
    )
    lines = [
        ("no change, 2,000 customers, by heads", HEADS, 2_000, BANKS, 0.0, False),
        ("no change, 2,000 customers, by balance", MONEY, 2_000, BANKS, 0.0, True),
        ("no change, 400 customers, by balance", MONEY, 400, BANKS, 0.0, True),
        ("one point up, 20,000 customers, by heads", HEADS, 20_000, BANKS // 5, 0.01, False),
        (
            "one point up, 20,000 customers, by balance",
            MONEY,
            20_000,
            max(BANKS // 10, 1),
            0.01,
            True,
        ),
    ]
    for name, metric, customers, banks, rise, money in lines:
        shares = told(metric, customers, banks, rise, money)
        covered, parts_covered, called, parts_called, findable = (
            f"{share:.1%}" for share in shares
        )
        print(
            f"{name:<44}{covered:>14}{parts_covered:>10}{called:>18}{parts_called:>10}{findable:>22}",
            flush=True,
        )
    _, _, sums = book(200_000, 1, money=True)
    start, used = time.perf_counter(), time.process_time()
    resample(sums, 1_000, 0)
    took = f"{time.perf_counter() - start:.2f} s, {time.process_time() - used:.2f} s of processor"
    print(f"\n1,000 draws over 200,000 customers by balance: {took}")


if __name__ == "__main__":
    main()
