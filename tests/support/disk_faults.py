"""A small load to publish again and again, and a driver that breaks it.

    python tests/support/disk_faults.py HOME faults LIBRARY   (LD_PRELOAD=LIBRARY)
    python tests/support/disk_faults.py HOME kills N SEED

`faults` breaks the n-th disk operation of a load, `kills` ends it at a random moment. One JSON
object per attempt goes to stdout. The driver itself never opens a database, so that its forks are
safe.
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
from datetime import date
from pathlib import Path
from typing import Any, Literal

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.editions import store
from data.editions.manifest import Edition
from data.editions.part_writer import BuildSession
from data.editions.reader import Warehouse
from data.errors import UserError

ROWS = 500
JANUARY, FEBRUARY, MARCH = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)
SMALL_LOAD = """
create table part.history.loan_month as
select
    $month::date as as_of, i as loan_key, $load::integer as load,
    (i + $load / 100)::decimal(18, 2) as balance
from range($rows) as r(i)
order by i;
create table part.current.branch as select 1 as branch_key, $load::integer as load;
"""
Answer = dict[str, Any]


def small(
    load: int, month: date = JANUARY, rows: int = ROWS
) -> Callable[[BuildSession], dict[str, Any]]:
    """Return a build of one month: `rows` loans and one branch, all with the number of the load."""

    def build(session: BuildSession) -> dict[str, Any]:
        session.run(SMALL_LOAD, "small load", load=load, month=month, rows=rows)
        return {"as_of": month, "months": [month]}

    return build


def publish(
    home: Path,
    load: int,
    month: date = JANUARY,
    kind: Literal["full", "increment"] = "full",
    rows: int = ROWS,
    **options: Any,
) -> Edition:
    """Publish a small load."""
    return store.publish(home, small(load, month, rows), kind=kind, source="test", **options)


def served(home: Path) -> tuple[int, str | None]:
    """Return the number of the load whose rows a reader sees, and why it is not the newest.

    Raises
    ------
    AssertionError
        When the rows are those of several loads, or of a part of one.
    """
    warehouse = Warehouse(home)
    lowest, highest, rows, of_branch = warehouse.one(
        "select min(load), max(load), count(*), (select max(load) from branch) from loan_month"
    ) or (0, 0, 0, 0)
    warehouse.close()
    loads = (lowest, highest, of_branch)
    assert len(set(loads)) == 1, f"a mix of two loads: {loads}"
    assert rows == ROWS, f"half a load: {rows} rows"
    reason = warehouse.degraded_reason
    return lowest, str(reason) if reason else None


def run_in_child(work: Callable[[], Answer]) -> tuple[int, int]:
    """Start work() in a child; return its process id and the pipe of its answer, in JSON."""
    pipe, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(pipe)
        try:
            answer = work()
        except UserError as error:
            answer = {"outcome": "refused", "message": str(error)}
        except BaseException as error:
            answer = {"outcome": "crashed", "message": repr(error)}
        os.write(end, json.dumps(answer).encode())
        os._exit(0)
    os.close(end)
    return child, pipe


def answer_of(child: int, pipe: int) -> Answer:
    """Wait for a child and return its answer; the outcome is `killed` without one."""
    with os.fdopen(pipe, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"outcome": "killed", "message": ""}


def attempt(
    home: Path,
    load: int,
    arm: Callable[[], None] = lambda: None,
    hits: Callable[[], int] = lambda: -1,
    kill_after: float | None = None,
) -> Answer:
    """Publish `load` in a child under a fault, then see in another child what readers get.

    Parameters
    ----------
    arm
        Called before the load; sets the fault.
    hits
        Called after the load; how many operations were broken.
    kill_after
        Seconds after which the child is killed.
    """

    def publish_under_fault() -> Answer:
        arm()
        edition = publish(home, load)
        return {"outcome": "published", "message": edition.id, "hits": hits()}

    started = time.monotonic()
    child, pipe = run_in_child(publish_under_fault)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    result = answer_of(child, pipe)
    seconds = round(time.monotonic() - started, 4)
    building = home / "building"
    remaining = sorted(path.name for path in building.glob("*"))
    look = answer_of(
        *run_in_child(lambda: dict(zip(("served", "reason"), served(home), strict=True)))
    )
    return result | {"seconds": seconds, "load": load, "remaining": remaining, "look": look}


def faults(home: Path, library: str) -> None:
    """Break each operation of a load in turn, until a load has no more of them.

    The faults: one I/O error, no space from the operation on, killed at the operation.
    """
    shim = ctypes.CDLL(library)
    load = 1
    answer_of(*run_in_child(lambda: {"id": publish(home, 1).id}))
    for name, code, persist, mode in [
        ("EIO", errno.EIO, 0, 0),
        ("ENOSPC", errno.ENOSPC, 1, 0),
        ("kill", 0, 0, 1),
    ]:
        at = 0
        whole = False
        while not whole:
            at += 1
            load += 1
            point = (str(home).encode(), at, code, persist, mode)
            result = attempt(
                home,
                load,
                lambda point=point: shim.disk_faults_arm(*point),
                shim.disk_faults_hits,
            )
            whole = result.get("hits") == 0
            print(json.dumps(result | {"mode": name, "at": at, "whole": whole}), flush=True)


def kills(home: Path, count: int, seed: int) -> None:
    """Kill `count` loads, each at a random moment of the time that a whole one takes."""
    moments = random.Random(seed)
    answer_of(*run_in_child(lambda: {"id": publish(home, 1).id}))
    whole = attempt(home, 2)
    print(json.dumps(whole), flush=True)
    for load in range(3, 3 + count):
        kill_after = moments.uniform(0, 1.2 * whole["seconds"])
        print(json.dumps(attempt(home, load, kill_after=kill_after)), flush=True)


if __name__ == "__main__":
    folder, what, *rest = sys.argv[1:]
    if what == "faults":
        faults(Path(folder), rest[0])
    else:
        kills(Path(folder), int(rest[0]), int(rest[1]))
