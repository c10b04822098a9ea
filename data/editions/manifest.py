"""The pointer: a small JSON file that names the part files of one edition, and the checks that a reader makes on them.

A pointer carries the sha256 of its own content, the sha256 of every part and a stamp of each part as the writer left
it on this machine (size, mtime, ctime, inode). A file whose stamp is unchanged has not been written to by any program
since its digest was taken: ctime cannot be set by a program. Rot of the disk below the file system is caught by the
check sum that DuckDB keeps of each block, as an error when the block is read, never as a wrong number.
"""

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from data.errors import UserError

CURRENT = "CURRENT"
PREVIOUS = "PREVIOUS"
PARTS = "parts"
# Raised when a program can no longer read the tables of older parts. In format 1 the schemas
# `history` and `current` had other names; its pointers have the same keys.
FORMAT = 2


class OlderFormat(UserError):
    """A pointer is of an older format: the delivery must be loaded again in full."""


@dataclass(frozen=True)
class Part:
    """One immutable file of a chain.

    stamp  (size in bytes, mtime ns, ctime ns, inode) when it was published, on the machine that published it
    """

    file: str
    sha256: str
    stamp: tuple[int, ...]


@dataclass(frozen=True)
class Edition:
    """One published state of the warehouse.

    id      first 16 hex digits of the sha256 over the parts' sha256, oldest first
    number  1, 2, 3 …, in order of publishing; editions are ordered by it, never by the clock
    kind    "full" (a new chain of one part) or "increment" (one part more)
    months  the month ends that the edition holds, ascending
    created UTC, ISO 8601, for people only
    facts   whatever build and check returned beside source, as_of, months and notes: row counts, totals, times
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
    facts: dict = field(default_factory=dict)
    engine: str = ""
    format: int = FORMAT

    def paths(self, home: Path) -> list[Path]:
        """The part files, oldest first."""
        return [Path(home) / PARTS / part.file for part in self.parts]


def edition_id(parts: tuple[Part, ...]) -> str:
    return hashlib.sha256("\n".join(part.sha256 for part in parts).encode()).hexdigest()[:16]


def dumps(edition: Edition) -> str:
    """The pointer's text; its last member is the sha256 of all the others."""
    body = json.loads(json.dumps(asdict(edition), default=str))
    return json.dumps(body | {"check": _check(body)}, ensure_ascii=False, indent=1) + "\n"


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
        check = body.pop("check")
        form = body["format"]
    except (ValueError, AttributeError, KeyError):
        raise UserError("manifest_incomplete", name=name) from None
    if check != _check(body):
        raise UserError("manifest_altered", name=name)
    if form > FORMAT:
        raise UserError("manifest_newer_format", name=name, form=form, format=FORMAT)
    if form < FORMAT and not any_format:
        raise OlderFormat("manifest_format", name=name, form=form, format=FORMAT)
    parts = tuple(Part(**part | {"stamp": tuple(part["stamp"])}) for part in body.pop("parts"))
    as_of = body.pop("as_of")
    months = tuple(date.fromisoformat(month) for month in body.pop("months"))
    as_of = date.fromisoformat(as_of) if as_of else None
    return Edition(
        **body | {"notes": tuple(body["notes"])}, parts=parts, months=months, as_of=as_of
    )


def read(path: Path, any_format: bool = False) -> Edition:
    """Read a pointer file as `loads` does; UserError also when it is missing or not readable."""
    try:
        return loads(path.read_text(encoding="utf-8"), path.name, any_format)
    except FileNotFoundError:
        raise UserError("manifest_missing", name=path.name, parent=path.parent) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UserError(
            "manifest_unreadable", name=path.name, parent=path.parent, reason=reason
        ) from None


def file_fingerprint(path: Path) -> tuple[int, ...]:
    """(size, mtime ns, ctime ns, inode). Raises OSError."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def with_current_fingerprints(edition: Edition, home: Path) -> Edition:
    """The edition with the stamps of its parts as they lie in `home` now."""
    pairs = zip(edition.parts, edition.paths(home), strict=True)
    return replace(
        edition, parts=tuple(replace(part, stamp=file_fingerprint(path)) for part, path in pairs)
    )


class Digests:
    """sha256 of whole files, each taken once per process as long as the file's stamp is the same."""

    def __init__(self):
        self._known: dict[tuple, str] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """sha256, in hex. 0.7 s per GiB. Raises OSError."""
        key = (str(path), *file_fingerprint(path))
        if key not in self._known:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            with self._lock:
                self._known[key] = digest
        return self._known[key]

    def knows(self, path: Path) -> bool:
        """Whether this process has read the file, as it is now, through."""
        return (str(path), *file_fingerprint(path)) in self._known

    def forget(self) -> None:
        with self._lock:
            self._known.clear()


DIGESTS = Digests()


def verify(edition: Edition, home: Path, trust_stamps: bool = False) -> None:
    """Raise UserError unless every part is there and is the file that was published.

    trust_stamps  accept a part whose stamp is the one taken at publishing without reading it
    """
    for part, path in zip(edition.parts, edition.paths(home), strict=True):
        try:
            trusted = (
                trust_stamps and file_fingerprint(path) == part.stamp and not DIGESTS.knows(path)
            )
            if not trusted and DIGESTS.of(path) != part.sha256:
                raise UserError("part_damaged", file=part.file, id=edition.id)
        except FileNotFoundError:
            raise UserError("part_missing", file=part.file, id=edition.id) from None
        except OSError as error:
            raise UserError(
                "part_unreadable", file=part.file, id=edition.id, strerror=error.strerror
            ) from None


def _check(body: dict) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
