"""make bench: how long load, one more month and the boards' questions take, as a table.

CUSTOMERS, MONTHS and RUNS in the environment change the size (1,000,000 × 36, 7 runs of each question). Every question
is asked warm, in turn with those it is compared with, and quoted by its median; machines differ, so trust the ratios.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse

CUSTOMERS = int(os.environ.get("CUSTOMERS", "1000000"))
MONTHS = int(os.environ.get("MONTHS", "36"))
RUNS = int(os.environ.get("RUNS", "7"))
LONG_WAY = (Path(__file__).parent / "support" / "overdue_from_events.sql").read_text(
    encoding="utf-8"
)
BOARDS = {
    "overview: overdue 30+ by tier": {"metric": "overdue_rate_30", "by": ("class",)},
    "overview: change on the year by tier": {
        "metric": "overdue_rate_30",
        "by": ("class",),
        "compare": "yoy",
    },
    "overview: 24 months by tier": {"metric": "overdue_rate_30", "by": ("class",), "last": 24},
    "tiers: customers": {"metric": "customers", "by": ("class",)},
    "tiers: balance by today's class": {"metric": "balance", "by": ("class",), "opening": 0},
    "overdue: by branch": {"metric": "overdue_rate_30", "by": ("branch_1",)},
    "overdue: by branch and product": {"metric": "overdue_rate", "by": ("branch_2", "product")},
    "overdue: days past due": {"metric": "balance", "by": ("bucket",)},
    "overdue: NPL, 24 months": {"metric": "npl_ratio", "last": 24},
    "reloan: 90 days by tier": {"metric": "reloan_rate_90", "by": ("class",)},
    "reloan: 24 months by tier": {"metric": "reloan_rate_90", "by": ("class",), "last": 24},
    "contribution: net by tier": {"metric": "contribution_net", "by": ("class",), "opening": 12},
    "contribution: net, 24 months": {"metric": "contribution_net", "last": 24},
    "contribution: by age band": {"metric": "contribution_net", "by": ("age_band",)},
}


def timed(label: str, *command: str) -> None:
    """Run one command of the product and print its seconds and the largest memory of any command so far."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *command],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(
        f"{label:<52}{time.perf_counter() - start:>10.1f} s{peak:>10.1f} GB peak so far", flush=True
    )


def medians(*asked) -> list[float]:
    """Median milliseconds of each callable, called in turn."""
    seconds: list[list[float]] = [[] for _ in asked]
    for turn in range(RUNS + 1):
        for run, call in zip(seconds, asked, strict=True):
            start = time.perf_counter()
            call()
            if turn:
                run.append((time.perf_counter() - start) * 1000)
    return [statistics.median(run) for run in seconds]


def main() -> None:
    print(
        f"{CUSTOMERS:,} customers × {MONTHS} months, {os.cpu_count()} processors, medians of {RUNS} runs"
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        first, second, home = f"{folder}/first", f"{folder}/second", f"{folder}/home"
        size = ("--customers", str(CUSTOMERS), "--months", str(MONTHS), "--seed", "1")
        timed("invent the bank", "data", "demo", *size, "--to", first)
        timed("invent one more month", "data", "demo", *size, "--next", "--to", second)
        timed(
            "load and build the whole history",
            "data",
            "load",
            first,
            "--source",
            "contract",
            "--home",
            home,
        )
        timed(
            "load and build one more month",
            "data",
            "load",
            second,
            "--source",
            "contract",
            "--home",
            home,
        )
        bank = Warehouse(Path(home), verify="fingerprint")
        as_of = bank.edition.as_of
        size = sum(part.fingerprint[0] for part in bank.edition.parts)
        print(
            f"\n{'question':<52}{'median':>10}{'':>3}{size / 1e9:.2f} GB in {len(bank.edition.parts)} parts"
        )
        for label, body in BOARDS.items():
            question = Question(as_of=as_of, **body)
            (took,) = medians(lambda question=question: ask(bank, question))
            print(f"{label:<52}{took:>10.1f} ms", flush=True)
        question = Question("overdue_rate_30", as_of)
        short, long = medians(
            lambda: ask(bank, question), lambda: bank.query(LONG_WAY, 120, as_of=as_of)
        )
        print(f"\n{'overdue 30+, whole bank: from the mart':<52}{short:>10.1f} ms")
        print(
            f"{'the same from loans, schedule and payments':<52}{long:>10.1f} ms{long / short:>10.0f} times"
        )


if __name__ == "__main__":
    main()
