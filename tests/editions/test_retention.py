"""Which parts stay: twelve editions, and no file of a killed load."""

from pathlib import Path

from data.editions import store
from data.editions.reader import Warehouse
from tests.support.disk_faults import ROWS, publish


def test_twelve_editions_stay_and_an_open_reader_can_read_on(home: Path) -> None:
    publish(home, 1)
    warehouse = Warehouse(home)
    for load in range(2, 16):
        publish(home, load)
    assert [edition.number for edition in store.history(home)] == list(range(4, 16))
    assert len(list((home / "parts").iterdir())) == 12
    # its file has gone from the folder, not from the reader
    assert warehouse.one("select max(load), count(*) from loan_month") == (1, ROWS)
    assert warehouse.refresh()
    assert warehouse.one("select max(load), count(*) from loan_month") == (15, ROWS)
    warehouse.close()


def test_files_of_a_killed_load_are_deleted_by_the_next(home: Path) -> None:
    publish(home, 1)
    (home / "building" / "99.duckdb").write_bytes(b"half")
    (home / "building" / "spill").mkdir()
    (home / "building" / "spill" / "block").write_bytes(b"x")
    (home / "parts" / "0123456789abcdef.duckdb").write_bytes(b"never pointed to")
    publish(home, 2)
    assert list((home / "building").iterdir()) == []
    assert len(list((home / "parts").iterdir())) == 2
