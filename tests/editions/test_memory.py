"""Memory of a load: limits, retained blocks, the allocator."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from data.editions.part_writer import BuildSession, open_build_session

ROOT = Path(__file__).parents[2]
_COUNT_PAGE_FAULTS = """
import resource
import numpy as np
{first}
def make_arrays():
    return [np.ones(3_000_000) for _ in range(4)]
make_arrays(), make_arrays()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    make_arrays()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is a function of glibc")
def test_new_arrays_reuse_the_pages_of_freed_ones() -> None:
    def page_faults(first: str) -> int:
        """Return the page faults of 40 new arrays of 24 MB each."""
        command = [sys.executable, "-c", _COUNT_PAGE_FAULTS.format(first=first)]
        process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        return int(process.stdout)

    retain = "from data.editions.memory import retain_freed_memory; retain_freed_memory()"
    assert page_faults("") > 5000
    assert page_faults(retain) < 100


def test_a_build_session_retains_blocks_up_to_its_memory_limit(session: BuildSession) -> None:
    settings = session.one(
        "select parse_formatted_bytes(current_setting('memory_limit')), "
        "parse_formatted_bytes(current_setting('block_allocator_memory'))"
    )
    assert settings == pytest.approx((500_000_000, 500_000_000), rel=0.01)


@pytest.mark.parametrize(
    ("input_bytes", "memory", "at_most"),
    [(1_000_000, None, 5_000_000_000), (1_000_000, "300MB", 300_000_000)],
)
def test_the_memory_limit_of_a_load_is_capped(
    tmp_path: Path, input_bytes: int, memory: str | None, at_most: int
) -> None:
    session = open_build_session(tmp_path / "new.duckdb", memory=memory, input_bytes=input_bytes)
    limit = session.table("select parse_formatted_bytes(current_setting('memory_limit')) as limit")
    session.abandon()
    assert limit["limit"][0].as_py() <= at_most


def test_the_cap_grows_with_the_delivery(tmp_path: Path) -> None:
    """8 times a delivery that no machine could hold: the limit stays that of the machine."""
    limits = []
    for input_bytes in (0, 10**15):
        session = open_build_session(tmp_path / f"{input_bytes}.duckdb", input_bytes=input_bytes)
        limits.append(session.one("select current_setting('memory_limit')"))
        session.abandon()
    assert limits[0] == limits[1]
