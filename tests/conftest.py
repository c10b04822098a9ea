"""Fixtures of several test files: banks that are loaded once for all workers."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.marts.build import build
from data.editions.reader import Warehouse
from data.loading.pipeline import load

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"
FillHome = Callable[[Path], object]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, FillHome], Path]:
    """Create a home by name, in the first worker that needs it: once("demo", fill) calls
    fill(home).
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def create_once(name: str, fill: FillHome) -> Path:
        home = shared / name / "home"
        home.parent.mkdir(exist_ok=True)
        complete = home.parent / "complete"
        with (home.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                fill(home)
                complete.touch()
        return home

    return create_once


def invented(customers: int, months: int, seed: int) -> FillHome:
    """Return a function that fills a home with an invented bank, through the command line."""

    def fill(home: Path) -> None:
        delivery = str(home.parent / "delivery")
        size = ("--customers", str(customers), "--months", str(months), "--seed", str(seed))
        _run("data", "demo", *size, "--to", delivery)
        _run("data", "load", delivery, "--source", "contract", "--home", str(home))

    return fill


@pytest.fixture(scope="session")
def demo_home(once: Callable[[str, FillHome], Path]) -> Path:
    """The home of an invented bank of 1,500 customers and 16 months up to 2026-10-31 (seed 7)."""
    return once("demo", invented(1_500, 16, 7))


@pytest.fixture(scope="session")
def fitted_home(once: Callable[[str, FillHome], Path]) -> Path:
    """Return an invented bank: 3,000 customers, 28 months (seed 11), segments for every month."""

    def fill(home: Path) -> None:
        invented(3_000, 28, 11)(home)
        _run("analytics", "segments", "fit", "--monthly", "--home", str(home))

    return once("fitted", fill)


@pytest.fixture(scope="session")
def small_home(once: Callable[[str, FillHome], Path]) -> Path:
    """The home of the bank of tests/small_bank."""
    delivery = ROOT / "tests" / "small_bank"
    return once("small", lambda home: load(delivery, "contract", home, build_marts=build))


@pytest.fixture(scope="session")
def small_bank(small_home: Path) -> Iterator[Warehouse]:
    """The bank of tests/small_bank; its README works every number out."""
    warehouse = Warehouse(small_home)
    yield warehouse
    warehouse.close()


def _run(*command: str) -> None:
    process = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-2000:]


@pytest.fixture(scope="session")
def bank(demo_home: Path) -> Iterator[Warehouse]:
    """The invented bank, opened for reading."""
    warehouse = Warehouse(demo_home)
    yield warehouse
    warehouse.close()


@pytest.fixture
def app(demo_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page in the app's frame: app("overall/tiers", lang="en", f__channel="partner")."""

    def open_page(
        page: str = "overall/overview", home: Path = demo_home, **address: str
    ) -> AppTest:
        monkeypatch.setenv("LOAN_PANORAMA_HOME", str(home))
        test = AppTest.from_file(APP, default_timeout=60)
        for name, value in address.items():
            test.query_params[name.replace("__", ".")] = value
        test.run()
        if page != "overall/overview":
            test.switch_page(f"pages/{page}.py").run()
        assert not test.exception, test.exception
        assert not test.error, test.error
        return test

    return open_page
