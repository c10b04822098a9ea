"""Damaged parts and pointers are noticed, and the last intact edition is served."""

import json
import shutil
import sqlite3
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data.editions import manifest
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.support.damage import (
    accept_fingerprints,
    flip_bit,
    newest_part,
    overwrite,
    served_edition,
)
from tests.support.disk_faults import publish, served


def break_missing(path: Path) -> None:
    path.unlink()


def break_truncated(path: Path) -> None:
    overwrite(path, path.read_bytes()[: path.stat().st_size // 2])


def break_block(path: Path) -> None:
    flip_bit(path, path.stat().st_size - 5000)


def break_header(path: Path) -> None:
    flip_bit(path, 4100)


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


DAMAGES = [
    break_missing,
    break_truncated,
    break_block,
    break_header,
    break_text,
    break_empty,
    break_folder,
    break_sqlite,
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", ["part", "pointer"])
def test_with_a_broken_part_or_pointer_the_previous_edition_is_served_with_a_reason(
    home: Path, what: str, damage: Callable[[Path], None]
) -> None:
    publish(home, 1)
    publish(home, 2)
    if what == "pointer" and damage is break_block:
        flip_bit(home / "CURRENT", 200)
    elif what == "pointer" and damage is break_header:
        flip_bit(home / "CURRENT", 10)
    else:
        damage(newest_part(home) if what == "part" else home / "CURRENT")
    load, reason = served(home)
    assert load == 1
    assert ("Part" if what == "part" else "CURRENT") in str(reason)
    assert "is served" in str(reason)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_while_serving_is_reported_and_the_intact_edition_stays(
    home: Path, damage: Callable[[Path], None]
) -> None:
    publish(home, 1)
    warehouse = Warehouse(home)
    publish(home, 2)
    damage(newest_part(home))
    assert not warehouse.refresh()
    assert "still served" in str(warehouse.degraded_reason)
    assert warehouse.one("select max(load) from loan_month") == (1,)
    publish(home, 3)
    assert warehouse.refresh()
    assert warehouse.degraded_reason is None
    assert warehouse.one("select max(load) from loan_month") == (3,)
    warehouse.close()


def test_a_change_of_any_byte_of_a_pointer_is_noticed(home: Path) -> None:
    publish(home, 1)
    text = (home / "CURRENT").read_text(encoding="utf-8")
    for at in range(0, len(text) - 1, 7):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        if json_or_none(changed) != json.loads(text):
            with pytest.raises(UserError):
                manifest.loads(changed, "CURRENT")


def json_or_none(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def test_with_both_pointers_broken_nothing_is_served(home: Path) -> None:
    publish(home, 1)
    publish(home, 2)
    for name in ("CURRENT", "PREVIOUS"):
        overwrite(home / name, b"{")
    with pytest.raises(UserError, match="load the delivery again"):
        Warehouse(home)


def test_a_part_of_a_newer_duckdb_is_refused_with_both_versions(home: Path) -> None:
    publish(home, 1)
    publish(home, 2)
    edition = served_edition(home)
    part = newest_part(home)
    content = bytearray(part.read_bytes())
    # Main header: 8 bytes of checksum, "DUCK", 8 bytes of storage version. The checksum is the
    # exclusive or, over words of 8 bytes, of word * 0xbf58476d1ce4e5b9: the change that one word
    # makes can be computed without the other words.
    assert content[8:12] == b"DUCK"
    checksum, word = struct.unpack_from("<QQ", content)
    later = struct.unpack("<Q", b"DUCK" + struct.pack("<I", 1000))[0]
    struct.pack_into("<QQ", content, 0, checksum ^ block_sum(word) ^ block_sum(later), later)
    overwrite(part, bytes(content))
    digest = manifest.Digests().sha256(part)
    changed = replace(edition.parts[0], sha256=digest, fingerprint=manifest.file_fingerprint(part))
    newer = replace(edition, parts=(changed,), engine="duckdb 3.1.0")
    (home / "CURRENT").write_text(manifest.dumps(newer), encoding="utf-8")
    load, reason = served(home)
    assert load == 1
    assert "written by duckdb 3.1.0; this program runs duckdb 2." in str(reason)
    assert "storage version number 1000" in str(reason)


def block_sum(word: int) -> int:
    return word * 0xBF58476D1CE4E5B9 % 2**64


def test_damage_below_the_file_system_never_gives_a_number(home: Path) -> None:
    # Same fingerprint, other bytes: only DuckDB's block checksums can notice the damage.
    publish(home, 1)
    publish(home, 2, rows=200_000)
    part = newest_part(home)
    # The headers take 12,288 bytes; the first block has rows, the last one the catalog.
    flip_bit(part, 12_288 + 1_000)
    accept_fingerprints(home)
    warehouse = Warehouse(home, verify="fingerprint")
    assert warehouse.edition.number == 2
    with pytest.raises(UserError, match=r"damaged.*is served\. Ask again"):
        warehouse.one("select sum(balance) from loan_month")
    assert warehouse.one("select max(load) from loan_month") == (1,)
    assert not warehouse.refresh()
    assert "damaged" in str(warehouse.degraded_reason)
    warehouse.close()


def test_verification_in_the_background_finds_the_damage(home: Path) -> None:
    publish(home, 1)
    publish(home, 2)
    flip_bit(newest_part(home), newest_part(home).stat().st_size - 10)
    accept_fingerprints(home)
    warehouse = Warehouse(home, verify="background")
    limit = time.monotonic() + 5
    while warehouse.degraded_reason is None and time.monotonic() < limit:
        time.sleep(0.01)
    assert "damaged" in str(warehouse.degraded_reason)
    assert warehouse.one("select max(load) from loan_month") == (1,)
    warehouse.close()


def test_a_copied_home_is_verified_by_digest_and_served(home: Path, tmp_path: Path) -> None:
    publish(home, 1)
    shutil.copytree(home, tmp_path / "copy")
    assert served(tmp_path / "copy") == (1, None)
    flip_bit(newest_part(tmp_path / "copy"), 300_000)
    with pytest.raises(UserError, match="damaged"):
        Warehouse(tmp_path / "copy", verify="fingerprint")
