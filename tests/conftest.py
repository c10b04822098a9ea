"""What several test files share: an invented bank, loaded once for all workers."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.build import build
from data.engine import Bank
from data.load import load

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory) -> Path:
    """The home of an invented bank of 1,500 customers and 16 months up to 2026-10-31, made through the command line."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "demo" / "home"
    home.parent.mkdir(exist_ok=True)
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "CURRENT").exists():
            delivery = str(home.parent / "delivery")
            _run("data", "demo", "--customers", "1500", "--months", "16", "--seed", "7", "--to", delivery)
            _run("data", "load", delivery, "--source", "contract", "--home", str(home))
    return home


@pytest.fixture(scope="session")
def fitted_home(tmp_path_factory) -> Path:
    """An invented bank of 3,000 customers and 28 months (seed 11), its segments fitted month by month."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "fitted" / "home"
    home.parent.mkdir(exist_ok=True)
    with (shared / "fitted.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "segments").exists():
            delivery = str(home.parent / "delivery")
            _run("data", "demo", "--customers", "3000", "--months", "28", "--seed", "11", "--to", delivery)
            _run("data", "load", delivery, "--source", "contract", "--home", str(home))
            _run("analytics", "segments", "fit", "--monthly", "--home", str(home))
    return home


@pytest.fixture(scope="session")
def small_home(tmp_path_factory) -> Path:
    """The home of the bank of tests/small_bank, loaded once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = shared / "small" / "home"
    home.parent.mkdir(exist_ok=True)
    with (shared / "small.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "CURRENT").exists():
            load(ROOT / "tests" / "small_bank", "contract", home, build_marts=build)
    return home


@pytest.fixture(scope="session")
def small_bank(small_home) -> Bank:
    """The bank of tests/small_bank; its README works every number out."""
    bank = Bank(small_home)
    yield bank
    bank.close()


def _run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="session")
def bank(demo_home):
    """The invented bank, opened for reading."""
    opened = Bank(demo_home)
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
