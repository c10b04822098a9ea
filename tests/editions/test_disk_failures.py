"""A load on a failing, full or read-only disk, or killed, leaves the old edition or the new one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.editions import disk, store
from data.editions.part_writer import BuildSession
from data.errors import UserError
from tests.support.disk_faults import publish, served

SUPPORT = Path(__file__).parents[1] / "support"


def run_driver(home: Path, *arguments: str, **environment: str) -> list[dict]:
    process = subprocess.run(
        [sys.executable, SUPPORT / "disk_faults.py", home, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def check_attempts(attempts: list[dict]) -> None:
    """Check that every attempt left the old load or the new one, and reported which."""
    load = 1
    for attempt in attempts:
        look = attempt["look"]
        allowed = {
            "published": {attempt["load"]},
            "killed": {load, attempt["load"]},
            "refused": {
                attempt["load"] if "is published and served" in attempt["message"] else load
            },
        }
        assert attempt["outcome"] in allowed, attempt
        assert look.get("served") in allowed[attempt["outcome"]], attempt
        assert look["reason"] is None, attempt
        assert attempt["outcome"] == "killed" or attempt["remaining"] == [], attempt
        load = look["served"]


def test_a_disk_that_fails_at_any_operation_leaves_the_old_edition_or_the_new(
    tmp_path: Path,
) -> None:
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
    attempts = run_driver(tmp_path / "home", "faults", str(library), LD_PRELOAD=str(library))
    check_attempts(attempts)
    for mode, outcome in [("EIO", "refused"), ("ENOSPC", "refused"), ("kill", "killed")]:
        hits = [
            attempt
            for attempt in attempts
            if attempt["mode"] == mode and attempt["outcome"] == outcome
        ]
        assert len(hits) > 25, f"only {len(hits)} operations of a load were reached by {mode}"
    messages = [
        attempt["message"]
        for attempt in attempts
        if attempt["mode"] == "ENOSPC" and "Volume" in attempt["message"]
    ]
    assert len(messages) > 25
    assert all("is full" in message and "bytes were left" in message for message in messages)


def test_a_load_killed_at_a_random_moment_leaves_the_old_edition_or_the_new(tmp_path: Path) -> None:
    count = int(os.environ.get("KILLS", "15"))
    attempts = run_driver(tmp_path / "home", "kills", str(count), os.environ.get("SEED", "7"))
    assert len(attempts) == 1 + count
    check_attempts(attempts)
    assert any(attempt["outcome"] == "killed" for attempt in attempts)


@pytest.fixture
def tiny_volume(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small volume needs root")
    folder = tmp_path / "volume"
    folder.mkdir()
    process = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if process.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_volume_is_reported_and_freed_and_the_old_edition_is_served(
    tiny_volume: Path,
) -> None:
    home = tiny_volume / "home"
    publish(home, 1)
    free = shutil.disk_usage(tiny_volume).free

    def too_much(session: BuildSession) -> dict[str, Any]:
        # 30 million random 8-byte numbers = 240 MB on a volume of 80 MB
        session.run(
            "create table part.history.loan_month as "
            "select hash(i) as h from range(30000000) as r(i)"
        )
        return {}

    with pytest.raises(
        UserError, match=rf"Volume {tiny_volume} is full: .* needs 67,108,864 or more"
    ):
        store.publish(home, too_much, kind="full")
    assert served(home) == (1, None)
    assert shutil.disk_usage(tiny_volume).free >= free - 65_536
    assert publish(home, 2).number == 2


def test_too_little_space_is_refused_before_anything_is_built(home: Path) -> None:
    publish(home, 1)
    # three times an exabyte of input
    with pytest.raises(
        UserError, match=r"on volume / .*3,458,764,513,820,540,928 bytes needed|bytes needed"
    ):
        publish(home, 2, input_bytes=2**60)
    assert served(home) == (1, None)


def test_a_read_only_volume_refuses_loads_and_serves_readers(tiny_volume: Path) -> None:
    home = tiny_volume / "home"
    publish(home, 1)
    subprocess.run(["mount", "-o", "remount,ro", tiny_volume], check=True)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        publish(home, 2)
    assert served(home) == (1, None)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        publish(tmp_path / "home", 1)


MOUNTS = """22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /srv rw,relatime shared:9 - nfs4 filer:/bank rw,vers=4.2
31 30 254:1 / /srv/local\\040disk rw,relatime - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("path", "volume"),
    [
        ("/home/bank", ("/", "ext4")),
        ("/srv/bank", ("/srv", "nfs4")),
        ("/srv/local disk/bank", ("/srv/local disk", "xfs")),
        ("/srvbank", ("/", "ext4")),
    ],
)
def test_the_volume_of_a_home_is_the_longest_mount_above_it(
    path: str, volume: tuple[str, str]
) -> None:
    assert disk.volume_of(Path(path), MOUNTS) == volume


def test_network_file_systems_are_refused_by_type(home: Path) -> None:
    system = disk.volume_of(Path("/srv/bank"), MOUNTS)[1]
    with pytest.raises(UserError, match=r"network volume \(/srv, nfs4\)"):
        disk.refuse_remote(home, "/srv", system)
    disk.refuse_remote(home, "/", "ext4")
