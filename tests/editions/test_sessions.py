"""Readers while editions change: each session stays in one edition."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data.editions import store
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.support.damage import newest_part
from tests.support.disk_faults import ROWS, publish, small

ROOT = Path(__file__).parents[2]


def test_eight_readers_never_see_a_mix_while_editions_change(home: Path) -> None:
    def change(load: int) -> None:
        store.publish(home, small(load), lambda candidate: {"load": load}, kind="full")

    change(1)
    warehouse = Warehouse(home, threads=1)
    mixed: list[set[int]] = []
    loads_read: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            warehouse.refresh()
            with warehouse.session() as reader:
                branches = reader.one("select max(load) from branch") or ()
                loans = reader.one("select min(load), max(load) from loan_month") or ()
                assert reader.edition is not None
                loads = {*branches, *loans, reader.edition.facts["load"]}
                loads_read.extend(loads)
                if len(loads) > 1:
                    mixed.append(loads)

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(8)]
        for load in range(2, 22):
            change(load)
        stop.set()
    assert [reader.exception() for reader in readers] == [None] * 8
    warehouse.refresh()
    assert mixed == []
    assert len(set(loads_read)) > 3
    assert warehouse.one("select max(load) from loan_month") == (21,)
    assert warehouse.degraded_reason is None
    warehouse.close()


def test_a_session_stays_in_its_edition(home: Path) -> None:
    publish(home, 1)
    warehouse = Warehouse(home)
    with warehouse.session() as reader:
        publish(home, 2)
        assert warehouse.refresh()
        assert reader.one("select max(load) from loan_month") == (1,)
        assert warehouse.one("select max(load) from loan_month") == (2,)
    warehouse.close()


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="python -m data load"):
        Warehouse(tmp_path)


def test_a_part_that_is_being_read_cannot_be_opened_for_writing(home: Path) -> None:
    publish(home, 1)
    warehouse = Warehouse(home)
    other = (
        f"from data.editions.connection import duckdb; duckdb.connect({str(newest_part(home))!r})"
    )
    process = subprocess.run(
        [sys.executable, "-c", other], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode != 0
    assert "lock" in process.stderr or "Permission" in process.stderr
    assert warehouse.one("select count(*) from loan_month") == (ROWS,)
    warehouse.close()
