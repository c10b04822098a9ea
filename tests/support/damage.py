"""Damage to the files of a home, as disks, programs and people cause it."""

from __future__ import annotations

from pathlib import Path

from data.editions import manifest, store
from data.editions.manifest import Edition


def served_edition(home: Path) -> Edition:
    """Return the edition of CURRENT, which must be there."""
    edition = store.current(home)
    assert edition is not None
    return edition


def newest_part(home: Path) -> Path:
    """Return the last part of the edition of CURRENT."""
    return served_edition(home).paths(home)[-1]


def overwrite(path: Path, content: bytes) -> None:
    """Write a file that may be read-only."""
    path.chmod(0o600)
    path.write_bytes(content)


def flip_bit(path: Path, at: int) -> None:
    """Change the lowest bit of the byte at this offset."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    overwrite(path, bytes(content))


def accept_fingerprints(home: Path) -> None:
    """Write the fingerprints of the parts as they are now into CURRENT.

    Damage below the file system changes no time and no size, so that fingerprints stay as they
    were.
    """
    edition = manifest.with_current_fingerprints(served_edition(home), home)
    (home / "CURRENT").write_text(manifest.dumps(edition), encoding="utf-8")
