"""Homes, a warehouse of two months, and a build session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data.editions.part_writer import BuildSession, open_build_session
from data.editions.reader import Warehouse
from tests.support.disk_faults import FEBRUARY, publish


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse of January (load 1) and February (load 2), 500 loans each."""
    home = tmp_path_factory.mktemp("home")
    publish(home, 1)
    publish(home, 2, FEBRUARY, kind="increment")
    warehouse = Warehouse(home, memory="300MB", threads=2)
    yield warehouse
    warehouse.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[BuildSession]:
    """A build session on a new part."""
    session = open_build_session(tmp_path / "new.duckdb", memory="500MB", threads=2)
    yield session
    session.abandon()
