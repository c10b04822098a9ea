"""Editions: immutable parts, one pointer, one atomic rename; readers never see half a load.

    HOME/CURRENT            the pointer that readers follow; its rename is the only commit point
    HOME/PREVIOUS           the pointer to fall back to
    HOME/parts/<sha16>.duckdb   the parts, mode 0440, never changed after their rename
    HOME/editions/<id>.json the pointers of the editions that can be rolled back to
    HOME/building/          the part under construction and its spill; emptied by the next load
    HOME/lock               held by the one writer (flock: freed by the kernel if the process dies)
    HOME/key                32 random bytes for keyed hashes

A full load starts a new chain of one part; an increment adds one part to the chain of CURRENT.
Whatever happens before the rename of CURRENT leaves the old edition; whatever happens after it, the
new one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from data.editions import manifest
from data.editions.connection import VERSION, DiskFull
from data.editions.disk import (
    open_lock,
    replace_durably,
    require_space,
    sync,
    translate_disk_errors,
    volume_full,
    writer_lock,
)
from data.editions.manifest import CURRENT, FORMAT, PARTS, PREVIOUS, Edition, OlderFormat, Part
from data.editions.part_writer import BuildSession, open_build_session
from data.editions.reader import EditionReader
from data.errors import InvalidRequest, UserError

EDITIONS = "editions"
BUILDING = "building"
MAX_EDITIONS = 12
# A check of the candidate may read the whole edition.
_CHECK_SECONDS = 3600

Build = Callable[[BuildSession], Mapping[str, Any] | None]
Check = Callable[[EditionReader], Mapping[str, Any] | None]


@dataclass(frozen=True)
class _BuildOptions:
    """Options of `publish` that go to the build session and to the reader of the candidate."""

    input_bytes: int
    memory: str | None
    threads: int | None
    read_dirs: tuple[Path, ...]
    keep_order: bool


def publish(
    home: Path | str,
    build: Build,
    check: Check = lambda candidate: None,
    *,
    kind: Literal["full", "increment"],
    source: str = "",
    input_bytes: int = 0,
    memory: str | None = None,
    threads: int | None = None,
    read_dirs: tuple[Path, ...] = (),
    keep_order: bool = False,
    created: datetime | None = None,
    dry_run: bool = False,
) -> Edition:
    """Build one part aside, check it as readers will see it, and make it the current edition.

    Parameters
    ----------
    build
        Fills the session's part. Returns facts of the edition; among them `as_of` (date), `months`
        (the month ends of this part, those of history.loan_month and history.customer_month) and
        `notes` (sentences) have fields of their own.
    check
        Reads the candidate edition, opened read-only with all its parts; returns more facts, or
        raises UserError to stop.
    input_bytes
        Size of the delivery; three times as much must be free on the volume. The options from here
        to `keep_order` are those of `open_build_session`.
    dry_run
        Publish nothing after the check, and return the edition with its facts, without the new
        part.

    Raises
    ------
    UserError
        When another load is running, the home cannot serve, space is short, or months overlap.
        After any error, also of `build` and `check`, nothing is published; the part is removed.
    """
    home = Path(home)
    options = _BuildOptions(input_bytes, memory, threads, read_dirs, keep_order)
    preflight(home, input_bytes)
    with writer_lock(home):
        _empty_building(home)
        before = edition_before(home, kind)
        chain = _chain_to_extend(home, before) if kind == "increment" else None
        part = home / BUILDING / f"{os.getpid()}.duckdb"
        try:
            older = chain.paths(home) if chain else []
            facts = _build_part(part, older, build, options)
            months = _chain_months(chain, facts)
            facts |= _check_candidate([*older, part], check, options)
            older_parts = chain.parts if chain else ()
            if dry_run:
                return _new_edition(home, kind, source, older_parts, months, facts, created)
            with translate_disk_errors(home):
                parts = (*older_parts, _move_to_parts(part, home))
                edition = _new_edition(home, kind, source, parts, months, facts, created)
                _commit(home, edition, before)
        except DiskFull as error:
            raise volume_full(home, input_bytes) from error
        finally:
            _clean_up(home)
        return edition


def edition_before(home: Path | str, kind: str) -> Edition | None:
    """Return the edition that a load of this kind follows: CURRENT, None in an empty home.

    A full load follows nothing where CURRENT is of an older format.

    Raises
    ------
    OlderFormat
        For an increment on an edition of an older format.
    UserError
        When CURRENT is broken.
    """
    try:
        return current(home)
    except OlderFormat:
        if kind == "increment":
            raise
        return None


def current(home: Path | str) -> Edition | None:
    """Return the edition that CURRENT names, None in an empty home. UserError when it is broken."""
    pointer = Path(home) / CURRENT
    return manifest.read(pointer) if pointer.exists() else None


def history(home: Path | str) -> list[Edition]:
    """Return the editions that can be served, oldest first; unreadable pointers are left out."""
    return [edition for edition in _all_editions(Path(home)) if edition.format == FORMAT]


def rollback(home: Path | str, id: str) -> Edition:
    """Make an older edition current again, after reading every byte of its parts.

    Parameters
    ----------
    id
        The edition's id, or an unambiguous beginning of it.

    Raises
    ------
    InvalidRequest
        When no edition or more than one begins with `id`.
    OlderFormat
        When the edition is of an older format.
    UserError
        When one of its parts is missing or damaged.
    """
    home = Path(home)
    preflight(home)
    with writer_lock(home), translate_disk_errors(home):
        editions = _all_editions(home)
        matching = [edition for edition in editions if id and edition.id.startswith(id)]
        if len(matching) != 1:
            code = "several_editions" if matching else "unknown_edition"
            ids = [edition.id for edition in matching or editions]
            raise InvalidRequest(code, id=id, editions=ids)
        target = matching[0]
        if target.format != FORMAT:
            name = f"{target.id}.json"
            raise OlderFormat("manifest_format", name=name, form=target.format, format=FORMAT)
        manifest.verify(target, home)
        # PREVIOUS must not lead back to the edition that is withdrawn now.
        older = [edition for edition in history(home) if edition.number < target.number]
        previous = older[-1] if older else target
        restored = manifest.with_current_fingerprints(target, home)
        _commit(home, restored, previous, withdrawn=_current_or_none(home))
        return target


def sweep(home: Path | str) -> list[str]:
    """Delete the parts of no retained edition: the 12 newest, CURRENT and PREVIOUS are retained.

    Returns the names of the deleted files. A reader that has one of them open can read on.
    """
    home = Path(home)
    preflight(home)
    with writer_lock(home), translate_disk_errors(home):
        _empty_building(home)
        return _sweep_parts(home)


def preflight(home: Path | str, input_bytes: int = 0) -> None:
    """Create the home's folders and check its volume for a delivery of `input_bytes` bytes.

    Raises
    ------
    UserError
        When the home cannot be written, lies on a network volume, or too little space is free.
    """
    home = Path(home)
    try:
        if not home.exists():
            home.mkdir(parents=True)
            sync(home.resolve().parent)
        for folder in (home / PARTS, home / EDITIONS, home / BUILDING):
            folder.mkdir(exist_ok=True)
        os.close(open_lock(home))
        require_space(home, input_bytes)
    except OSError as error:
        raise UserError(
            "home_not_writable", home=home, strerror=error.strerror, filename=error.filename
        ) from None


def _chain_to_extend(home: Path, before: Edition | None) -> Edition:
    if before is None:
        raise UserError("no_edition_to_extend", home=home)
    manifest.verify(before, home, trust_fingerprints=True)
    return before


def _build_part(
    part: Path, older: list[Path], build: Build, options: _BuildOptions
) -> dict[str, Any]:
    session = open_build_session(
        part,
        older,
        memory=options.memory,
        input_bytes=options.input_bytes,
        threads=options.threads,
        spill=part.parent / "spill",
        read_dirs=options.read_dirs,
        keep_order=options.keep_order,
    )
    try:
        facts = dict(build(session) or {})
        session.close()
    finally:
        session.abandon()
    return facts


def _check_candidate(parts: list[Path], check: Check, options: _BuildOptions) -> Mapping[str, Any]:
    candidate = EditionReader(
        parts,
        memory=options.memory,
        threads=options.threads,
        spill=parts[-1].parent,
        timeout=_CHECK_SECONDS,
    )
    with contextlib.closing(candidate):
        return check(candidate) or {}


def _chain_months(chain: Edition | None, facts: Mapping[str, Any]) -> tuple[date, ...]:
    months = sorted(set(facts.get("months") or ()))
    older = chain.months if chain else ()
    if months and older and months[0] <= older[-1]:
        raise UserError("increment_overlaps", first=months[0], last=older[-1])
    return (*older, *months)


def _new_edition(
    home: Path,
    kind: str,
    source: str,
    parts: tuple[Part, ...],
    months: tuple[date, ...],
    facts: Mapping[str, Any],
    created: datetime | None,
) -> Edition:
    last_number = max((edition.number for edition in _all_editions(home)), default=0)
    last_month = months[-1] if months else None
    # The fields of an edition; the rest of what build and check returned are its facts.
    fields = ("source", "as_of", "months", "notes")
    return Edition(
        id=manifest.edition_id(parts),
        number=1 + last_number,
        kind=kind,
        source=source or facts.get("source", ""),
        as_of=facts.get("as_of") or last_month,
        months=months,
        created=(created or datetime.now(UTC)).isoformat(timespec="seconds"),
        parts=parts,
        notes=tuple(facts.get("notes", ())),
        facts={name: value for name, value in facts.items() if name not in fields},
        engine=VERSION,
    )


def _move_to_parts(part: Path, home: Path) -> Part:
    """Give the finished part its final name, which is taken from its content."""
    os.chmod(part, 0o440)
    sync(part)
    digest = manifest.DIGESTS.sha256(part)
    final = home / PARTS / f"{digest[:16]}.duckdb"
    os.replace(part, final)
    sync(final.parent)
    return Part(final.name, digest, manifest.file_fingerprint(final))


def _commit(
    home: Path, edition: Edition, previous: Edition | None, withdrawn: Edition | None = None
) -> None:
    for other in (previous, withdrawn):
        if other:
            _record(home, other)
    if previous:
        _save(home / PREVIOUS, previous)
    replace_durably(home / CURRENT, manifest.dumps(edition).encode(), 0o644)
    try:
        sync(home)
    except OSError as error:
        raise UserError("publish_unconfirmed", id=edition.id, strerror=error.strerror) from error
    # Until the next load, which records it before it replaces CURRENT, CURRENT itself is the
    # record.
    with contextlib.suppress(OSError):
        _record(home, edition)


def _record(home: Path, edition: Edition) -> None:
    _save(home / EDITIONS / f"{edition.id}.json", edition)


def _save(path: Path, edition: Edition) -> None:
    replace_durably(path, manifest.dumps(edition).encode(), 0o644)
    sync(path.parent)


def _current_or_none(home: Path) -> Edition | None:
    with contextlib.suppress(UserError):
        return current(home)
    return None


def _all_editions(home: Path) -> list[Edition]:
    """Return the editions whose pointers can be read, those of an older format too, by number."""
    editions: dict[str, Edition] = {}
    for path in (*sorted((home / EDITIONS).glob("*.json")), home / PREVIOUS, home / CURRENT):
        with contextlib.suppress(UserError):
            edition = manifest.read(path, any_format=True)
            editions[edition.id] = edition
    return sorted(editions.values(), key=lambda edition: edition.number)


def _empty_building(home: Path) -> None:
    for path in (home / BUILDING).iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _clean_up(home: Path) -> None:
    """Sweep without hiding the error that ended the load."""
    with contextlib.suppress(OSError, UserError):
        _empty_building(home)
        _sweep_parts(home)


def _sweep_parts(home: Path) -> list[str]:
    editions = _all_editions(home)
    pointers = [home / name for name in (CURRENT, PREVIOUS) if (home / name).exists()]
    served = [manifest.read(path, any_format=True) for path in pointers]
    retained = {edition.id: edition for edition in [*editions[-MAX_EDITIONS:], *served]}
    files = {part.file for edition in retained.values() for part in edition.parts}
    for edition in editions:
        if edition.id not in retained:
            (home / EDITIONS / f"{edition.id}.json").unlink(missing_ok=True)
    deleted = sorted(path.name for path in (home / PARTS).iterdir() if path.name not in files)
    for name in deleted:
        (home / PARTS / name).unlink(missing_ok=True)
    return deleted
