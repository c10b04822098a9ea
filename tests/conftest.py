"""What several test files share: an invented bank, loaded once for all workers."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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


def _run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
