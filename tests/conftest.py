"""What several test files share: banks that are loaded once for all workers."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.marts.build import build
from data.editions.reader import Warehouse
from data.loading.pipeline import load

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Makes a home by name, by the first worker that asks: once("demo", make) calls make(home)."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make) -> Path:
        home = shared / name / "home"
        home.parent.mkdir(exist_ok=True)
        with (home.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (home.parent / "made").exists():
                make(home)
                (home.parent / "made").touch()
        return home

    return made


def invented(customers: int, months: int, seed: int):
    """What fills a home with an invented bank, through the command line."""

    def make(home: Path) -> None:
        delivery, size = (
            str(home.parent / "delivery"),
            ("--customers", str(customers), "--months", str(months)),
        )
        _run("data", "demo", *size, "--seed", str(seed), "--to", delivery)
        _run("data", "load", delivery, "--source", "contract", "--home", str(home))

    return make


@pytest.fixture(scope="session")
def demo_home(once) -> Path:
    """The home of an invented bank of 1,500 customers and 16 months up to 2026-10-31 (seed 7)."""
    return once("demo", invented(1_500, 16, 7))


@pytest.fixture(scope="session")
def fitted_home(once) -> Path:
    """An invented bank of 3,000 customers and 28 months (seed 11), its segments fitted month by month."""

    def make(home: Path) -> None:
        invented(3_000, 28, 11)(home)
        _run("analytics", "segments", "fit", "--monthly", "--home", str(home))

    return once("fitted", make)


@pytest.fixture(scope="session")
def small_home(once) -> Path:
    """The home of the bank of tests/small_bank."""
    return once(
        "small",
        lambda home: load(ROOT / "tests" / "small_bank", "contract", home, build_marts=build),
    )


@pytest.fixture(scope="session")
def small_bank(small_home) -> Warehouse:
    """The bank of tests/small_bank; its README works every number out."""
    bank = Warehouse(small_home)
    yield bank
    bank.close()


def _run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="session")
def bank(demo_home):
    """The invented bank, opened for reading."""
    opened = Warehouse(demo_home)
    yield opened
    opened.close()


@pytest.fixture
def app(demo_home, monkeypatch):
    """Opens a page of the app in the frame: app("overall/tiers", lang="en", f__channel="partner")."""

    def opened(page="overall/overview", home=demo_home, **address):
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

    return opened
