"""Editions: one commit point, readers that never see a mix, damage that is noticed, disks that fail at any moment."""

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data.editions import disk, manifest, store
from data.editions.connection import QueryError
from data.editions.hash_key import secret_key
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.support.disk_faults import FEBRUARY, JANUARY, MARCH, ROWS, publish, served, small

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUPPORT = HERE.parent / "support"


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


def newest_part(home: Path) -> Path:
    return store.current(home).paths(home)[-1]


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def without_noticing(home: Path) -> None:
    """Make the pointer's stamps fit the files as they are: damage below the file system changes no time."""
    edition = manifest.with_current_fingerprints(store.current(home), home)
    (home / "CURRENT").write_text(manifest.dumps(edition), encoding="utf-8")


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    overwrite(path, bytes(content))


# Publishing


def test_a_full_load_starts_a_new_chain_and_an_increment_prolongs_it(home):
    first = publish(home, 1)
    second = publish(home, 2, FEBRUARY, kind="increment")
    third = publish(home, 3, MARCH)
    assert [len(edition.parts) for edition in (first, second, third)] == [1, 2, 1]
    assert second.parts[0] == first.parts[0]
    assert second.months == (JANUARY, FEBRUARY)
    assert (second.as_of, second.number, second.kind, second.source) == (
        FEBRUARY,
        2,
        "increment",
        "test",
    )
    assert third.months == (MARCH,)
    assert store.history(home) == [first, second, third]


def test_what_build_and_check_report_is_kept_with_the_edition(home):
    def check(candidate):
        return {"rows": candidate.one("select count(*) from loan_month")[0]}

    def build(work):
        return small(1)(work) | {"notes": ["2 records skipped"], "source": "superlender"}

    store.publish(home, build, check, kind="full")
    bank = Warehouse(home)
    assert bank.edition.facts == {"rows": ROWS}
    assert bank.edition.notes == ("2 records skipped",)
    assert bank.edition.source == "superlender"
    bank.close()


def test_a_part_is_never_touched_after_it_is_named(home):
    publish(home, 1)
    part = newest_part(home)
    before = manifest.file_fingerprint(part)
    for load, month in [(2, FEBRUARY), (3, MARCH)]:
        publish(home, load, month, kind="increment")
    assert manifest.file_fingerprint(part) == before
    assert part.stat().st_mode & 0o777 == 0o440
    assert part.name == f"{manifest.Digests().sha256(part)[:16]}.duckdb"
    assert list((home / "building").iterdir()) == []


def test_an_increment_needs_an_edition(home):
    with pytest.raises(UserError, match="Load a full delivery first"):
        publish(home, 1, kind="increment")


def test_a_month_that_the_chain_holds_already_is_refused(home):
    # The views are unions: the month would count twice.
    publish(home, 1, FEBRUARY)
    for month in (JANUARY, FEBRUARY):
        with pytest.raises(UserError, match="count twice"):
            publish(home, 2, month, kind="increment")
    assert served(home) == (1, None)


def test_an_increment_on_a_damaged_chain_is_refused(home):
    publish(home, 1)
    flip(newest_part(home), 300_000)
    with pytest.raises(UserError, match="damaged"):
        publish(home, 2, FEBRUARY, kind="increment")


@pytest.mark.parametrize(
    "error",
    [
        UserError("no_history"),
        ValueError("a slip"),
        FileNotFoundError(2, "gone", "loan.csv"),
        KeyboardInterrupt(),
    ],
)
@pytest.mark.parametrize("where", ["build", "check"])
def test_an_error_in_build_or_check_publishes_nothing_and_goes_through_unchanged(
    home, where, error
):
    publish(home, 1)

    def failing(given):
        if where == "build":
            small(2)(given)
        raise error

    build, check = (failing, dict) if where == "build" else (small(2), failing)
    with pytest.raises(type(error)) as caught:
        store.publish(home, build, check, kind="full")
    assert caught.value is error
    assert served(home) == (1, None)
    assert list((home / "building").iterdir()) == []
    assert len(list((home / "parts").iterdir())) == 1


def test_ctrl_c_ends_a_load_at_once_and_publishes_nothing(home):
    publish(home, 1)
    # A shell starts what runs in the background deaf to Ctrl-C: the test may run there.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    killer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))

    def endless(work):
        killer.start()
        # ends by itself, after some twenty seconds, so that a failing test ends too
        work.run(
            "create table part.history.t as select count(*) as n from range(3000000000) as r(i) where i % 7 = 3"
        )

    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            store.publish(home, endless, kind="full")
    finally:
        signal.signal(signal.SIGINT, heard)
    assert time.monotonic() - begun < 10
    assert served(home) == (1, None)
    assert list((home / "building").iterdir()) == []


def test_the_check_sees_the_whole_candidate_chain_read_only(home):
    publish(home, 1)
    seen = []

    def check(candidate):
        seen.append(candidate.one("select count(*) from loan_month"))
        with pytest.raises(QueryError):
            candidate.query("drop table branch")
        return {}

    store.publish(home, small(2, FEBRUARY), check, kind="increment")
    assert seen == [(2 * ROWS,)]


def test_editions_are_ordered_by_number_though_the_clock_goes_back(home):
    late = publish(home, 1, created=datetime(2031, 1, 1, tzinfo=UTC))
    early = publish(home, 2, created=datetime(2001, 1, 1, tzinfo=UTC))
    assert [edition.id for edition in store.history(home)] == [late.id, early.id]
    assert served(home) == (2, None)


def test_a_second_load_at_once_is_refused(home):
    publish(home, 1)
    inside, go_on = threading.Event(), threading.Event()

    def slow(work):
        inside.set()
        go_on.wait(10)
        return small(2)(work)

    first = threading.Thread(target=store.publish, args=(home, slow), kwargs={"kind": "full"})
    first.start()
    inside.wait(10)
    for act in (
        lambda: publish(home, 3),
        lambda: store.rollback(home, "a"),
        lambda: store.sweep(home),
    ):
        with pytest.raises(UserError, match=f"Another load is running .*process {os.getpid()}"):
            act()
    go_on.set()
    first.join()
    assert served(home) == (2, None)


def test_twelve_editions_are_kept_and_a_reader_keeps_the_one_it_holds(home):
    publish(home, 1)
    bank = Warehouse(home)
    for load in range(2, 16):
        publish(home, load)
    assert [edition.number for edition in store.history(home)] == list(range(4, 16))
    assert len(list((home / "parts").iterdir())) == 12
    # its file has gone from the folder, not from the reader
    assert bank.one("select max(load), count(*) from loan_month") == (1, ROWS)
    assert bank.refresh()
    assert bank.one("select max(load), count(*) from loan_month") == (15, ROWS)
    bank.close()


def test_leftovers_of_a_killed_load_are_swept_by_the_next(home):
    publish(home, 1)
    (home / "building" / "99.duckdb").write_bytes(b"half")
    (home / "building" / "spill").mkdir()
    (home / "building" / "spill" / "block").write_bytes(b"x")
    (home / "parts" / "0123456789abcdef.duckdb").write_bytes(b"never pointed to")
    publish(home, 2)
    assert list((home / "building").iterdir()) == []
    assert len(list((home / "parts").iterdir())) == 2


# Rolling back


def test_a_rollback_serves_the_old_edition_and_the_next_number_goes_on(home):
    first, second = publish(home, 1), publish(home, 2)
    bank = Warehouse(home)
    assert store.rollback(home, first.id[:8]).number == 1
    assert bank.refresh()
    assert bank.one("select max(load) from loan_month") == (1,)
    assert [edition.id for edition in store.history(home)] == [first.id, second.id]
    assert publish(home, 3).number == 3
    assert store.rollback(home, second.id).number == 2
    assert served(home) == (2, None)
    bank.close()


def test_after_a_rollback_nothing_falls_back_to_the_withdrawn_edition(home):
    publish(home, 1)
    wanted, _ = publish(home, 2), publish(home, 3)
    store.rollback(home, wanted.id)
    (home / "CURRENT").unlink()
    assert served(home)[0] == 1


@pytest.mark.parametrize("id", ["zzzz", ""])
def test_a_rollback_to_an_unknown_edition_names_the_known_ones(home, id):
    known = publish(home, 1)
    with pytest.raises(UserError, match=known.id):
        store.rollback(home, id)


def test_a_rollback_to_a_damaged_edition_is_refused(home):
    first = publish(home, 1)
    part = newest_part(home)
    publish(home, 2)
    flip(part, 300_000)
    with pytest.raises(UserError, match="damaged"):
        store.rollback(home, first.id)
    assert served(home) == (2, None)


# Reading


def test_eight_readers_never_see_a_mix_while_editions_change(home):
    def change(load: int) -> None:
        store.publish(home, small(load), lambda candidate: {"load": load}, kind="full")

    change(1)
    bank, torn, reads, stop = Warehouse(home, threads=1), [], [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            bank.refresh()
            with bank.session() as view:
                first = view.one("select max(load) from branch")
                seen = {
                    *first,
                    *view.one("select min(load), max(load) from loan_month"),
                    view.edition.facts["load"],
                }
                reads.extend(seen)
                if len(seen) > 1:
                    torn.append(seen)

    with ThreadPoolExecutor(8) as pool:
        readers = [pool.submit(read) for _ in range(8)]
        for load in range(2, 22):
            change(load)
        stop.set()
    assert [reader.exception() for reader in readers] == [None] * 8
    bank.refresh()
    assert torn == []
    assert len(set(reads)) > 3
    assert bank.one("select max(load) from loan_month") == (21,)
    assert bank.degraded_reason is None
    bank.close()


def test_a_lease_stays_in_its_edition(home):
    publish(home, 1)
    bank = Warehouse(home)
    with bank.session() as view:
        publish(home, 2)
        assert bank.refresh()
        assert view.one("select max(load) from loan_month") == (1,)
        assert bank.one("select max(load) from loan_month") == (2,)
    bank.close()


def test_an_empty_home_says_what_to_do(tmp_path):
    with pytest.raises(UserError, match="python -m data load"):
        Warehouse(tmp_path)


def break_missing(path: Path) -> None:
    path.unlink()


def break_truncated(path: Path) -> None:
    overwrite(path, path.read_bytes()[: path.stat().st_size // 2])


def break_flipped(path: Path) -> None:
    flip(path, path.stat().st_size - 5000)


def break_flipped_in_the_header(path: Path) -> None:
    flip(path, 4100)


def break_text(path: Path) -> None:
    overwrite(path, "贷款\n".encode())


def break_empty(path: Path) -> None:
    overwrite(path, b"")


def break_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def break_sqlite(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("create table loan_month (load integer)")
    other.close()


BREAKS = [
    break_missing, break_truncated, break_flipped, break_flipped_in_the_header,
    break_text, break_empty, break_folder, break_sqlite,
]  # fmt: skip


@pytest.mark.parametrize("damage", BREAKS)
@pytest.mark.parametrize("what", ["part", "pointer"])
def test_a_broken_part_or_pointer_means_the_edition_before_it_and_an_alarm(home, what, damage):
    publish(home, 1)
    publish(home, 2)
    if what == "pointer" and damage is break_flipped:
        flip(home / "CURRENT", 200)
    elif what == "pointer" and damage is break_flipped_in_the_header:
        flip(home / "CURRENT", 10)
    else:
        damage(newest_part(home) if what == "part" else home / "CURRENT")
    load, alarm = served(home)
    assert load == 1
    assert ("Part" if what == "part" else "CURRENT") in str(alarm)
    assert "is served" in str(alarm)


@pytest.mark.parametrize("damage", BREAKS)
def test_damage_that_comes_while_serving_is_told_and_the_good_edition_stays(home, damage):
    publish(home, 1)
    bank = Warehouse(home)
    publish(home, 2)
    damage(newest_part(home))
    assert not bank.refresh()
    assert "still served" in str(bank.degraded_reason)
    assert bank.one("select max(load) from loan_month") == (1,)
    publish(home, 3)
    assert bank.refresh()
    assert bank.degraded_reason is None
    assert bank.one("select max(load) from loan_month") == (3,)
    bank.close()


def test_every_byte_of_a_pointer_counts(home):
    publish(home, 1)
    text = (home / "CURRENT").read_text(encoding="utf-8")
    for at in range(0, len(text) - 1, 7):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        if json_or_none(changed) != json.loads(text):
            with pytest.raises(UserError):
                manifest.loads(changed, "CURRENT")


def json_or_none(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_with_both_pointers_broken_nothing_is_served(home):
    publish(home, 1)
    publish(home, 2)
    for name in ("CURRENT", "PREVIOUS"):
        overwrite(home / name, b"{")
    with pytest.raises(UserError, match="load the delivery again"):
        Warehouse(home)


def test_a_part_of_a_newer_duckdb_is_refused_with_both_versions(home):
    publish(home, 1)
    publish(home, 2)
    edition, part = store.current(home), newest_part(home)
    content = bytearray(part.read_bytes())
    # Main header: 8 bytes of check sum, "DUCK", 8 bytes of storage version. The check sum is the exclusive or, over
    # words of 8 bytes, of word * 0xbf58476d1ce4e5b9: what a changed word changes in it can be said without the rest.
    assert content[8:12] == b"DUCK"
    total, word = struct.unpack_from("<QQ", content)
    later = struct.unpack("<Q", b"DUCK" + struct.pack("<I", 1000))[0]
    struct.pack_into("<QQ", content, 0, total ^ block_sum(word) ^ block_sum(later), later)
    overwrite(part, bytes(content))
    digest = manifest.Digests().sha256(part)
    changed = replace(edition.parts[0], sha256=digest, fingerprint=manifest.file_fingerprint(part))
    newer = replace(edition, parts=(changed,), engine="duckdb 3.1.0")
    (home / "CURRENT").write_text(manifest.dumps(newer), encoding="utf-8")
    load, alarm = served(home)
    assert load == 1
    assert "written by duckdb 3.1.0; this program runs duckdb 2." in str(alarm)
    assert "storage version number 1000" in str(alarm)


def block_sum(word: int) -> int:
    return word * 0xBF58476D1CE4E5B9 % 2**64


def test_rot_below_the_file_system_is_never_a_number(home):
    # Same stamp, other bytes: only DuckDB's block check sums stand between the rot and the page.
    publish(home, 1)
    publish(home, 2, rows=200_000)
    part = newest_part(home)
    # the headers take 12,288 bytes; the first block holds rows, the catalog stands in the last
    flip(part, 12_288 + 1_000)
    without_noticing(home)
    bank = Warehouse(home, verify="fingerprint")
    assert bank.edition.number == 2
    with pytest.raises(UserError, match=r"damaged.*is served\. Ask again"):
        bank.one("select sum(balance) from loan_month")
    assert bank.one("select max(load) from loan_month") == (1,)
    assert not bank.refresh()
    assert "damaged" in str(bank.degraded_reason)
    bank.close()


def test_reading_through_in_the_background_finds_the_rot(home):
    publish(home, 1)
    publish(home, 2)
    flip(newest_part(home), newest_part(home).stat().st_size - 10)
    without_noticing(home)
    bank = Warehouse(home, verify="background")
    limit = time.monotonic() + 5
    while bank.degraded_reason is None and time.monotonic() < limit:
        time.sleep(0.01)
    assert "damaged" in str(bank.degraded_reason)
    assert bank.one("select max(load) from loan_month") == (1,)
    bank.close()


def test_a_home_moved_to_another_place_is_read_through_and_served(home, tmp_path):
    publish(home, 1)
    shutil.copytree(home, tmp_path / "copy")
    assert served(tmp_path / "copy") == (1, None)
    flip(newest_part(tmp_path / "copy"), 300_000)
    with pytest.raises(UserError, match="damaged"):
        Warehouse(tmp_path / "copy", verify="fingerprint")


def test_a_part_that_is_being_read_cannot_be_opened_for_writing(home):
    publish(home, 1)
    bank = Warehouse(home)
    other = (
        f"from data.editions.connection import duckdb; duckdb.connect({str(newest_part(home))!r})"
    )
    ended = subprocess.run(
        [sys.executable, "-c", other], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "lock" in ended.stderr or "Permission" in ended.stderr
    assert bank.one("select count(*) from loan_month") == (ROWS,)
    bank.close()


# Disks


def driver(home: Path, *arguments: str, **environment: str) -> list[dict]:
    ended = subprocess.run(
        [sys.executable, SUPPORT / "disk_faults.py", home, *arguments],
        env=os.environ | environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def old_or_new(attempts: list[dict]) -> None:
    """Every attempt left the old load or the new one, and said so truly."""
    serving = 1
    for attempt in attempts:
        look = attempt["look"]
        allowed = {
            "published": {attempt["load"]},
            "killed": {serving, attempt["load"]},
            "refused": {
                attempt["load"] if "is published and served" in attempt["message"] else serving
            },
        }
        assert attempt["outcome"] in allowed, attempt
        assert look.get("served") in allowed[attempt["outcome"]], attempt
        assert look["alarm"] is None, attempt
        assert attempt["outcome"] == "killed" or attempt["left"] == [], attempt
        serving = look["served"]


def test_a_disk_that_fails_at_any_operation_leaves_the_old_edition_or_the_new(tmp_path):
    if not shutil.which("gcc"):
        pytest.skip(
            "gcc is missing: the shim that makes disk operations fail cannot be built (apt-get install gcc)"
        )
    library = tmp_path / "failio.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-o", library, SUPPORT / "disk_faults.c", "-ldl"],
        check=True,
    )
    attempts = driver(tmp_path / "home", "faults", str(library), LD_PRELOAD=str(library))
    old_or_new(attempts)
    for mode, outcome in [("EIO", "refused"), ("ENOSPC", "refused"), ("kill", "killed")]:
        hit = [
            attempt
            for attempt in attempts
            if attempt["mode"] == mode and attempt["outcome"] == outcome
        ]
        assert len(hit) > 25, f"only {len(hit)} operations of a load were reached by {mode}"
    full = [
        attempt["message"]
        for attempt in attempts
        if attempt["mode"] == "ENOSPC" and "Volume" in attempt["message"]
    ]
    assert len(full) > 25
    assert all("is full" in message and "bytes were left" in message for message in full)


def test_a_load_killed_at_a_random_moment_leaves_the_old_edition_or_the_new(tmp_path):
    count = int(os.environ.get("KILLS", "15"))
    attempts = driver(tmp_path / "home", "kills", str(count), os.environ.get("SEED", "7"))
    assert len(attempts) == 1 + count
    old_or_new(attempts)
    assert any(attempt["outcome"] == "killed" for attempt in attempts)


@pytest.fixture
def tiny_volume(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small volume needs root")
    place = tmp_path / "volume"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_volume_is_named_freed_and_the_old_edition_serves(tiny_volume):
    home = tiny_volume / "home"
    publish(home, 1)
    free = shutil.disk_usage(tiny_volume).free

    def too_much(work):
        # 30 million random 8-byte numbers = 240 MB on a volume of 80 MB
        work.run(
            "create table part.history.loan_month as select hash(i) as h from range(30000000) as r(i)"
        )
        return {}

    with pytest.raises(
        UserError, match=rf"Volume {tiny_volume} is full: .* needs 67,108,864 or more"
    ):
        store.publish(home, too_much, kind="full")
    assert served(home) == (1, None)
    assert shutil.disk_usage(tiny_volume).free >= free - 65_536
    assert publish(home, 2).number == 2


def test_too_little_space_is_refused_before_anything_is_built(home):
    publish(home, 1)
    # three times an exabyte of input
    with pytest.raises(
        UserError, match=r"on volume / .*3,458,764,513,820,540,928 bytes needed|bytes needed"
    ):
        publish(home, 2, input_bytes=2**60)
    assert served(home) == (1, None)


def test_a_read_only_volume_is_refused_for_loads_and_serves_readers(tiny_volume):
    home = tiny_volume / "home"
    publish(home, 1)
    subprocess.run(["mount", "-o", "remount,ro", tiny_volume], check=True)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        publish(home, 2)
    assert served(home) == (1, None)


def test_a_home_that_is_a_file_is_refused(tmp_path):
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
def test_the_volume_of_a_home_is_the_longest_mount_above_it(path, volume):
    assert disk.volume_of(Path(path), MOUNTS) == volume


def test_network_file_systems_are_refused_by_type(home):
    system = disk.volume_of(Path("/srv/bank"), MOUNTS)[1]
    with pytest.raises(UserError, match=r"network volume \(/srv, nfs4\)"):
        disk.refuse_remote(home, "/srv", system)
    disk.refuse_remote(home, "/", "ext4")


# The key


def test_the_key_is_made_once_and_only_its_owner_may_read_it(home):
    key = secret_key(home)
    assert len(key) == 32
    assert secret_key(home) == key
    assert (home / "key").stat().st_mode & 0o777 == 0o600


def test_eight_first_users_get_one_key(home):
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(secret_key(home))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_a_key_that_others_can_read_is_refused(home):
    secret_key(home)
    (home / "key").chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        secret_key(home)


def test_a_key_that_is_not_whole_is_refused(home):
    secret_key(home)
    (home / "key").write_bytes(b"short")
    with pytest.raises(UserError, match="5 of 32 bytes"):
        secret_key(home)
