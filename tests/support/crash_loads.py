"""The product's own load of one more month, broken again and again at random moments.

    LD_PRELOAD=LIBRARY python tests/support/crash_loads.py HOME FIRST SECOND LIBRARY N SEED

FIRST is loaded completely, then N times SECOND, an increment: killed at a random moment, killed at
a random disk operation, or with a disk that is full from a random operation on. After each attempt
another process reads what readers get; a published month is rolled back before the next attempt.
One JSON object per attempt goes to stdout.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analytics.marts.build import build
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions import store
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from tests.support.disk_faults import Answer, answer_of, run_in_child

MODES = ("moment", "operation", "full")


def read_home(home: Path) -> Answer:
    """Return what a reader gets: the edition, and the last month's balance (CNY) from mart and
    query.
    """
    warehouse = Warehouse(home)
    try:
        edition = warehouse.edition
        as_of = edition.as_of
        assert as_of is not None
        answer = ask(warehouse, Question("balance", as_of, by=("class",), opening=0))
        sql = (
            "select cast(sum(balance) as double) as balance, count(*) as loans "
            "from loan_month where as_of = $day"
        )
        mart = warehouse.query(sql, day=as_of).iloc[0]
        reason = warehouse.degraded_reason
        return {
            "edition": edition.id,
            "reason": str(reason) if reason else None,
            "balance": round(float(mart["balance"]), 2),
            "loans": int(mart["loans"]),
            "query_balance": round(float(answer["value"].sum()), 2),
        }
    finally:
        warehouse.close()


def main(home: Path, first: Path, second: Path, library: str, count: int, seed: int) -> None:
    """Load FIRST, then break `count` loads of SECOND."""
    shim = ctypes.CDLL(library)
    chance = random.Random(seed)
    folder = str(home).encode()

    def load_once(delivery: Path, arm: Callable[[], object] = lambda: None) -> Answer:
        arm()
        edition = load(delivery, "contract", home, build_marts=build)
        operations = shim.disk_faults_operations()
        return {"outcome": "published", "message": edition.id, "operations": operations}

    def look() -> Answer:
        return answer_of(*run_in_child(lambda: read_home(home)))

    def arm_for(mode: str, operations: int) -> Callable[[], object]:
        if mode == "moment":
            return lambda: None
        at = chance.randint(1, operations)
        fault = (errno.ENOSPC, 1, 0) if mode == "full" else (0, 0, 1)
        return lambda: shim.disk_faults_arm(folder, at, *fault)

    def count_operations() -> None:
        shim.disk_faults_arm(folder, 0, 0, 0, 0)

    assert answer_of(*run_in_child(lambda: load_once(first)))["outcome"] == "published"
    old = look()
    started = time.monotonic()
    whole = answer_of(*run_in_child(lambda: load_once(second, count_operations)))
    seconds = time.monotonic() - started
    print(json.dumps({"old": old, "new": look(), "whole": whole, "seconds": seconds}), flush=True)
    for number in range(count):
        answer_of(*run_in_child(lambda: {"id": store.rollback(home, old["edition"]).id}))
        mode = MODES[number % len(MODES)]
        arm = arm_for(mode, whole["operations"])
        child, pipe = run_in_child(lambda arm=arm: load_once(second, arm))
        if mode == "moment":
            time.sleep(chance.uniform(0, 1.1 * seconds))
            os.kill(child, signal.SIGKILL)
        result = answer_of(child, pipe)
        print(json.dumps({"mode": mode, **result, "look": look()}), flush=True)


if __name__ == "__main__":
    home, first, second, library, count, seed = sys.argv[1:]
    main(Path(home), Path(first), Path(second), library, int(count), int(seed))
