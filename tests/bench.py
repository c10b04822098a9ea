"""make bench: how long load, one more month and the queries of the boards take, as a table.

CUSTOMERS, MONTHS and RUNS in the environment change the size (1,000,000 × 36, 7 runs of each
query). Every query is run warm, in turn with those it is compared with, and the median is printed.
Machines differ: compare the ratios.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions.reader import Warehouse

CUSTOMERS = int(os.environ.get("CUSTOMERS", "1000000"))
MONTHS = int(os.environ.get("MONTHS", "36"))
RUNS = int(os.environ.get("RUNS", "7"))
FROM_EVENTS = Path(__file__).parent / "support" / "overdue_from_events.sql"
BOARDS: dict[str, Callable[[date], Question]] = {
    "overview: overdue 30+ by tier": partial(Question, "overdue_rate_30", by=("class",)),
    "overview: change on the year by tier": partial(
        Question, "overdue_rate_30", by=("class",), compare="yoy"
    ),
    "overview: 24 months by tier": partial(Question, "overdue_rate_30", by=("class",), last=24),
    "tiers: customers": partial(Question, "customers", by=("class",)),
    "tiers: balance by today's class": partial(Question, "balance", by=("class",), opening=0),
    "overdue: by branch": partial(Question, "overdue_rate_30", by=("branch_1",)),
    "overdue: by branch and product": partial(Question, "overdue_rate", by=("branch_2", "product")),
    "overdue: days past due": partial(Question, "balance", by=("bucket",)),
    "overdue: NPL, 24 months": partial(Question, "npl_ratio", last=24),
    "reloan: 90 days by tier": partial(Question, "reloan_rate_90", by=("class",)),
    "reloan: 24 months by tier": partial(Question, "reloan_rate_90", by=("class",), last=24),
    "contribution: net by tier": partial(Question, "contribution_net", by=("class",), opening=12),
    "contribution: net, 24 months": partial(Question, "contribution_net", last=24),
    "contribution: by age band": partial(Question, "contribution_net", by=("age_band",)),
}


def run_command(label: str, *command: str) -> None:
    """Run one command; print its seconds and the peak memory of all commands so far."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *command],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    seconds = time.perf_counter() - start
    print(f"{label:<52}{seconds:>10.1f} s{peak:>10.1f} GB peak so far", flush=True)


def medians(*calls: Callable[[], object]) -> list[float]:
    """Return the median milliseconds of each callable; they are called in turn, first once
    unmeasured.
    """
    milliseconds: list[list[float]] = [[] for _ in calls]
    for turn in range(RUNS + 1):
        for runs, call in zip(milliseconds, calls, strict=True):
            start = time.perf_counter()
            call()
            if turn:
                runs.append((time.perf_counter() - start) * 1000)
    return [statistics.median(runs) for runs in milliseconds]


def main() -> None:
    """Invent a bank, load it, load one more month, and time the queries."""
    processors = os.cpu_count()
    print(
        f"{CUSTOMERS:,} customers × {MONTHS} months, {processors} processors, "
        f"medians of {RUNS} runs"
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        home = Path(folder) / "home"
        load_bank(Path(folder), home)
        warehouse = Warehouse(home, verify="fingerprint")
        time_queries(warehouse)
        warehouse.close()


def load_bank(folder: Path, home: Path) -> None:
    """Invent a bank and one month more, and load both deliveries."""
    first = str(folder / "first")
    second = str(folder / "second")
    size = ("--customers", str(CUSTOMERS), "--months", str(MONTHS), "--seed", "1")
    target = ("--source", "contract", "--home", str(home))
    run_command("invent the bank", "data", "demo", *size, "--to", first)
    run_command("invent one more month", "data", "demo", *size, "--next", "--to", second)
    run_command("load and build the whole history", "data", "load", first, *target)
    run_command("load and build one more month", "data", "load", second, *target)


def time_queries(warehouse: Warehouse) -> None:
    """Print the milliseconds of each query of the boards, and of one figure from its events."""
    edition = warehouse.edition
    as_of = edition.as_of
    assert as_of is not None
    gigabytes = sum(part.fingerprint[0] for part in edition.parts) / 1e9
    parts = len(edition.parts)
    print(f"\n{'query':<52}{'median':>10}{'':>3}{gigabytes:.2f} GB in {parts} parts")
    for label, question_at in BOARDS.items():
        question = question_at(as_of)
        (milliseconds,) = medians(lambda question=question: ask(warehouse, question))
        print(f"{label:<52}{milliseconds:>10.1f} ms", flush=True)
    question = Question("overdue_rate_30", as_of)
    from_events = FROM_EVENTS.read_text(encoding="utf-8")
    mart, events = medians(
        lambda: ask(warehouse, question), lambda: warehouse.query(from_events, 120, as_of=as_of)
    )
    print(f"\n{'overdue 30+, whole bank: from the mart':<52}{mart:>10.1f} ms")
    label = "the same from loans, schedule and payments"
    print(f"{label:<52}{events:>10.1f} ms{events / mart:>10.0f} times")


if __name__ == "__main__":
    main()
