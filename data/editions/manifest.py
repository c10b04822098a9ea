"""The pointer: a small JSON file that names the part files of one edition, and their verification.

A pointer carries the sha256 of its own content, the sha256 of every part, and a fingerprint of each
part as the writer left it on this machine. A file whose fingerprint is unchanged has not been
written to by any program since its digest was taken: ctime cannot be set by a program. Damage below
the file system is caught by the checksum that DuckDB keeps of each block, as an error when the
block is read, never as a wrong number.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from data.errors import UserError

CURRENT = "CURRENT"
PREVIOUS = "PREVIOUS"
PARTS = "parts"
# Raised when a program can no longer read the tables of older parts. In format 1 the schemas
# `history` and `current` had other names, and `fingerprint` was `stamp`.
FORMAT = 2


class OlderFormat(UserError):
    """A pointer is of an older format: the delivery must be loaded again in full."""


@dataclass(frozen=True)
class Part:
    """One immutable file of a chain.

    Attributes
    ----------
    fingerprint
        (size in bytes, mtime ns, ctime ns, inode) at publishing, on the machine that published it.
    """

    file: str
    sha256: str
    fingerprint: tuple[int, ...]


@dataclass(frozen=True)
class Edition:
    """One published state of the warehouse.

    Attributes
    ----------
    id
        First 16 hex digits of the sha256 over the parts' sha256, oldest first.
    number
        1, 2, 3 … in order of publishing; editions are ordered by it, never by the clock.
    kind
        "full" (a new chain of one part) or "increment" (one part more).
    months
        The month ends that the edition holds, ascending.
    created
        UTC, ISO 8601, for people only.
    facts
        Other results of build and check: row counts, totals, times.
    """

    id: str
    number: int
    kind: str
    source: str
    as_of: date | None
    months: tuple[date, ...]
    created: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    engine: str = ""
    format: int = FORMAT

    def paths(self, home: Path) -> list[Path]:
        """Return the part files, oldest first."""
        return [Path(home) / PARTS / part.file for part in self.parts]


def edition_id(parts: tuple[Part, ...]) -> str:
    """Return the id of an edition with these parts."""
    return hashlib.sha256("\n".join(part.sha256 for part in parts).encode()).hexdigest()[:16]


def dumps(edition: Edition) -> str:
    """Return the pointer's text; its last member is the sha256 of all the others."""
    body = json.loads(json.dumps(asdict(edition), default=str))
    return json.dumps(body | {"check": _checksum(body)}, ensure_ascii=False, indent=1) + "\n"


def loads(text: str, name: str, any_format: bool = False) -> Edition:
    """Read a pointer's text.

    Parameters
    ----------
    name
        Name of the file, for the error.
    any_format
        Accept an older format as well.

    Raises
    ------
    OlderFormat
        Unless `any_format`.
    UserError
        When the text is half-written, altered, of a later format, or no pointer.
    """
    try:
        body = json.loads(text)
        checksum = body.pop("check")
        form = body["format"]
    except (ValueError, AttributeError, KeyError):
        raise UserError("manifest_incomplete", name=name) from None
    if checksum != _checksum(body):
        raise UserError("manifest_altered", name=name)
    if form > FORMAT:
        raise UserError("manifest_newer_format", name=name, form=form, format=FORMAT)
    if form < FORMAT and not any_format:
        raise OlderFormat("manifest_format", name=name, form=form, format=FORMAT)
    as_of = body["as_of"]
    values = {
        "parts": tuple(map(_part, body["parts"])),
        "as_of": date.fromisoformat(as_of) if as_of else None,
        "months": tuple(date.fromisoformat(month) for month in body["months"]),
        "notes": tuple(body["notes"]),
    }
    return Edition(**body | values)


def _part(entry: dict[str, Any]) -> Part:
    fingerprint = entry.get("fingerprint") or entry["stamp"]
    return Part(entry["file"], entry["sha256"], tuple(fingerprint))


def read(path: Path, any_format: bool = False) -> Edition:
    """Read a pointer file as `loads` does; UserError also when it is missing or not readable."""
    try:
        return loads(path.read_text(encoding="utf-8"), path.name, any_format)
    except FileNotFoundError:
        raise UserError("manifest_missing", name=path.name, parent=path.parent) from None
    except UnicodeDecodeError:
        raise UserError("manifest_incomplete", name=path.name) from None
    except OSError as error:
        raise UserError(
            "manifest_unreadable", name=path.name, parent=path.parent, reason=error.strerror
        ) from None


def file_fingerprint(path: Path) -> tuple[int, ...]:
    """Return (size in bytes, mtime ns, ctime ns, inode). Raises OSError."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def with_current_fingerprints(edition: Edition, home: Path) -> Edition:
    """Return the edition with the fingerprints of its parts as they are in `home` now."""
    pairs = zip(edition.parts, edition.paths(home), strict=True)
    parts = tuple(replace(part, fingerprint=file_fingerprint(path)) for part, path in pairs)
    return replace(edition, parts=parts)


class Digests:
    """sha256 of whole files, computed once per process while the file's fingerprint is the same."""

    def __init__(self) -> None:
        self._digests: dict[tuple[str | int, ...], str] = {}
        self._lock = threading.Lock()

    def sha256(self, path: Path) -> str:
        """Return the sha256 of a file in hex; 0.7 s per GiB. Raises OSError."""
        key = (str(path), *file_fingerprint(path))
        if key not in self._digests:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            with self._lock:
                self._digests[key] = digest
        return self._digests[key]

    def has_read(self, path: Path) -> bool:
        """Return whether this process has computed the digest of the file as it is now."""
        return (str(path), *file_fingerprint(path)) in self._digests

    def clear(self) -> None:
        """Forget all digests, so that every file is read again."""
        with self._lock:
            self._digests.clear()


DIGESTS = Digests()


def verify(edition: Edition, home: Path, trust_fingerprints: bool = False) -> None:
    """Check that every part is there and is the file that was published.

    Parameters
    ----------
    trust_fingerprints
        Accept a part whose fingerprint is that of its publishing without reading it.

    Raises
    ------
    UserError
        When a part is missing, damaged or cannot be read.
    """
    for part, path in zip(edition.parts, edition.paths(home), strict=True):
        try:
            is_trusted = (
                trust_fingerprints
                and file_fingerprint(path) == part.fingerprint
                and not DIGESTS.has_read(path)
            )
            if not is_trusted and DIGESTS.sha256(path) != part.sha256:
                raise UserError("part_damaged", file=part.file, id=edition.id)
        except FileNotFoundError:
            raise UserError("part_missing", file=part.file, id=edition.id) from None
        except OSError as error:
            raise UserError(
                "part_unreadable", file=part.file, id=edition.id, strerror=error.strerror
            ) from None


def _checksum(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
