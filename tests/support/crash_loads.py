"""The product's own load of one more month, broken again and again at random moments.

    LD_PRELOAD=LIBRARY python tests/support/crash_loads.py HOME FIRST SECOND LIBRARY N SEED

FIRST is loaded whole, then N times SECOND, an increment: killed at a random moment, killed at a random disk operation,
or with a disk that is full from a random operation on. After each attempt another process looks at what readers see; a
month that got through is rolled back before the next attempt. One JSON object per attempt goes to stdout.
"""

import ctypes
import errno
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from analytics.marts.build import build
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from data.editions import store
from data.editions.reader import Warehouse
from data.loading.pipeline import load
from tests.support.disk_faults import ended, forked


def seen(home: Path) -> dict:
    """What a reader sees: the edition, and the last month's balance as summed by the mart and as asked for."""
    bank = Warehouse(home)
    try:
        edition = bank.edition
        answer = ask(bank, Question("balance", edition.as_of, by=("class",), opening=0))
        sql = "select cast(sum(balance) as double), count(*) from loan_month where as_of = $day"
        rows = bank.one(sql, day=edition.as_of)
        return {
            "edition": edition.id,
            "alarm": bank.degraded_reason and str(bank.degraded_reason),
            "balance": round(float(rows[0]), 2),
            "loans": rows[1],
            "asked": round(float(answer["value"].sum()), 2),
        }
    finally:
        bank.close()


def main(home: Path, first: Path, second: Path, library: str, count: int, seed: int) -> None:
    shim, chance = ctypes.CDLL(library), random.Random(seed)

    def once(delivery: Path, arm=lambda: None) -> dict:
        arm()
        edition = load(delivery, "contract", home, build_marts=build)
        return {
            "outcome": "published",
            "message": edition.id,
            "operations": shim.disk_faults_operations(),
        }

    assert ended(*forked(lambda: once(first)))["outcome"] == "published"
    old = ended(*forked(lambda: seen(home)))
    begun = time.monotonic()
    whole = ended(
        *forked(lambda: once(second, lambda: shim.disk_faults_arm(str(home).encode(), 0, 0, 0, 0)))
    )
    seconds = time.monotonic() - begun
    new = ended(*forked(lambda: seen(home)))
    print(json.dumps({"old": old, "new": new, "whole": whole, "seconds": seconds}), flush=True)
    for number in range(count):
        ended(*forked(lambda: {"id": store.rollback(home, old["edition"]).id}))
        mode = ("moment", "operation", "full")[number % 3]
        at = chance.randint(1, whole["operations"])
        point = (
            (str(home).encode(), at, errno.ENOSPC, 1, 0)
            if mode == "full"
            else (str(home).encode(), at, 0, 0, 1)
        )
        arm = (
            (lambda: None)
            if mode == "moment"
            else (lambda point=point: shim.disk_faults_arm(*point))
        )
        child, pipe = forked(lambda arm=arm: once(second, arm))
        if mode == "moment":
            time.sleep(chance.uniform(0, 1.1 * seconds))
            os.kill(child, signal.SIGKILL)
        result = ended(child, pipe)
        print(
            json.dumps({"mode": mode, **result, "look": ended(*forked(lambda: seen(home)))}),
            flush=True,
        )


if __name__ == "__main__":
    place, one, more, shim_path, times, start = sys.argv[1:]
    main(Path(place), Path(one), Path(more), shim_path, int(times), int(start))
