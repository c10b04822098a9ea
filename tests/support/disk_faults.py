"""A small load to publish again and again, and a driver that breaks it at its n-th disk operation or a random moment.

    python tests/support/disk_faults.py HOME faults LIBRARY   (LD_PRELOAD=LIBRARY)
    python tests/support/disk_faults.py HOME kills N SEED

One JSON object per attempt goes to stdout. The driver itself never opens a database, so that its forks are safe.
"""

import ctypes
import errno
import json
import os
import random
import signal
import sys
import time
from datetime import date
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.editions import store
from data.editions.part_writer import BuildSession
from data.editions.reader import Warehouse
from data.errors import UserError

ROWS = 500
JANUARY, FEBRUARY, MARCH = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)
MAKE = """
create table part.history.loan_month as
select $month::date as as_of, i as loan_key, $load::integer as load, (i + $load / 100)::decimal(18, 2) as balance
from range($rows) as r(i)
order by i;
create table part.current.branch as select 1 as branch_key, $load::integer as load;
"""


def small(load: int, month: date = JANUARY, rows: int = ROWS):
    """A build of one month: `rows` loans and one branch, all marked with the number of the load."""

    def build(work: BuildSession) -> dict:
        work.run(MAKE, "small load", load=load, month=month, rows=rows)
        return {"as_of": month, "months": [month]}

    return build


def publish(
    home: Path, load: int, month: date = JANUARY, kind: str = "full", rows: int = ROWS, **options
):
    return store.publish(home, small(load, month, rows), kind=kind, source="test", **options)


def served(home: Path) -> tuple[int, str | None]:
    """The number of the one load whose rows a reader sees, and the bank's alarm. Raises AssertionError on a mix."""
    bank = Warehouse(home)
    seen = bank.one(
        "select min(load), max(load), count(*), (select max(load) from branch) from loan_month"
    )
    bank.close()
    assert seen[0] == seen[1] == seen[3], f"a mix of two loads: {seen}"
    assert seen[2] == ROWS, f"half a load: {seen}"
    return seen[0], bank.degraded_reason


def forked(work) -> tuple[int, int]:
    """Begin work() in a child: its process id, and the pipe on which it answers in JSON."""
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


def ended(child: int, pipe: int) -> dict:
    with os.fdopen(pipe, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"outcome": "killed", "message": ""}


def attempt(
    home: Path, load: int, arm=lambda: None, hits=lambda: -1, kill_after: float | None = None
) -> dict:
    """Publish `load` in a child under a fault, then look, in another child, at what readers see."""

    def work() -> dict:
        arm()
        edition = publish(home, load)
        return {"outcome": "published", "message": edition.id, "hits": hits()}

    begun = time.monotonic()
    child, pipe = forked(work)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    result = ended(child, pipe)
    result["seconds"] = round(time.monotonic() - begun, 4)
    left = (
        sorted(path.name for path in (home / "building").iterdir())
        if (home / "building").exists()
        else []
    )
    look = ended(*forked(lambda: dict(zip(("served", "alarm"), served(home), strict=True))))
    return result | {"load": load, "left": left, "look": look}


def faults(home: Path, library: str) -> None:
    """Each operation of a load in turn until none is left: an I/O error once, no space from there on, killed."""
    shim = ctypes.CDLL(library)
    load = 1
    ended(*forked(lambda: {"id": publish(home, 1).id}))
    for name, code, persist, mode in [
        ("EIO", errno.EIO, 0, 0),
        ("ENOSPC", errno.ENOSPC, 1, 0),
        ("kill", 0, 0, 1),
    ]:
        at, whole = 0, False
        while not whole:
            at, load = at + 1, load + 1
            point = (str(home).encode(), at, code, persist, mode)
            result = attempt(
                home, load, lambda point=point: shim.failio_arm(*point), shim.failio_hits
            )
            whole = result.get("hits") == 0
            print(json.dumps(result | {"mode": name, "at": at, "whole": whole}), flush=True)


def kills(home: Path, count: int, seed: int) -> None:
    moments = random.Random(seed)
    ended(*forked(lambda: {"id": publish(home, 1).id}))
    whole = attempt(home, 2)
    print(json.dumps(whole), flush=True)
    for load in range(3, 3 + count):
        print(
            json.dumps(attempt(home, load, kill_after=moments.uniform(0, 1.2 * whole["seconds"]))),
            flush=True,
        )


if __name__ == "__main__":
    place, what, *rest = sys.argv[1:]
    if what == "faults":
        faults(Path(place), rest[0])
    else:
        kills(Path(place), int(rest[0]), int(rest[1]))
