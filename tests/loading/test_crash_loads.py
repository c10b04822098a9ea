"""A load of one more month, killed or on a full disk, leaves the old edition or the new one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data import demo

SUPPORT = Path(__file__).parents[1] / "support"


def test_a_load_that_is_killed_or_has_no_space_leaves_the_old_edition_or_the_new(
    tmp_path: Path,
) -> None:
    """LOADS in the environment is the number of broken loads; 6 by default."""
    if not shutil.which("gcc"):
        pytest.skip(
            "gcc is missing: the library that makes disk operations fail cannot be built "
            "(apt-get install gcc)"
        )
    library = tmp_path / "disk_faults.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-o", library, SUPPORT / "disk_faults.c", "-ldl"],
        check=True,
    )
    demo.write(tmp_path / "first", customers=150, months=3, seed=7)
    demo.write_next(tmp_path / "second", customers=150, months=3, seed=7)
    count = os.environ.get("LOADS", "6")
    folders = [tmp_path / name for name in ("home", "first", "second")]
    process = subprocess.run(
        [sys.executable, SUPPORT / "crash_loads.py", *folders, library, count, "11"],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert process.returncode == 0, process.stderr
    whole, *attempts = [json.loads(line) for line in process.stdout.splitlines()]
    old = whole["old"]
    new = without_id(whole["new"])
    assert without_id(old) != new
    assert len(attempts) == int(count)
    for attempt in attempts:
        look = attempt["look"]
        assert look["balance"] == look["query_balance"], attempt
        assert look == old or without_id(look) == new, attempt
        assert attempt["outcome"] != "published" or look["edition"] == attempt["message"], attempt
    assert {attempt["outcome"] for attempt in attempts} & {"killed", "refused"}


def without_id(look: dict[str, Any]) -> dict[str, Any]:
    """Return the figures only: two loads of one delivery are two editions, with equal figures."""
    return {name: value for name, value in look.items() if name != "edition"}
