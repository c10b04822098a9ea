"""A load of one more month, whole pipeline, killed or out of disk: the old edition or the new one, never else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data import demo

SUPPORT = Path(__file__).parents[1] / "support"


def test_a_load_killed_or_out_of_disk_at_a_random_moment_leaves_the_old_edition_or_the_new(
    tmp_path,
):
    """LOADS in the environment says how many loads are broken; 6 by default."""
    if not shutil.which("gcc"):
        pytest.skip(
            "gcc is missing: the shim that makes disk operations fail cannot be built (apt-get install gcc)"
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
    ran = subprocess.run(
        [sys.executable, SUPPORT / "crash_loads.py", *folders, library, count, "11"],
        env=os.environ | {"LD_PRELOAD": str(library)}, capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told, *attempts = [json.loads(line) for line in ran.stdout.splitlines()]
    old, new = told["old"], without_id(told["new"])
    assert without_id(old) != new
    assert len(attempts) == int(count)
    for attempt in attempts:
        look = attempt["look"]
        assert look["balance"] == look["asked"], attempt
        assert look == old or without_id(look) == new, attempt
        assert attempt["outcome"] != "published" or look["edition"] == attempt["message"], attempt
    assert {attempt["outcome"] for attempt in attempts} & {"killed", "refused"}


def without_id(look: dict) -> dict:
    """Two loads of one delivery are two editions: each notes when it was loaded. Their figures are the same."""
    return {name: value for name, value in look.items() if name != "edition"}
