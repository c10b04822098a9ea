"""Editions: immutable parts, one pointer, one atomic rename; readers never see half.

    HOME/CURRENT            the pointer that readers follow; its rename is the only commit point
    HOME/PREVIOUS           the pointer to fall back to
    HOME/parts/<sha16>.duckdb   the parts, 0440, never changed after their rename
    HOME/editions/<id>.json the pointers of the editions kept for a rollback
    HOME/building/          the part under construction and its spill; swept at the next load
    HOME/lock               held by the one writer (flock: the kernel frees it when the process dies)
    HOME/key                32 random bytes for keyed hashes

A full load makes a new chain of one part; an increment puts one more part on the chain of CURRENT. Whatever happens
before the rename of CURRENT leaves the old edition; whatever happens after it, the new one.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from data.editions import manifest
from data.editions.connection import VERSION, DiskFull
from data.editions.manifest import CURRENT, FORMAT, PARTS, PREVIOUS, Edition, OlderFormat, Part
from data.editions.part_writer import BuildSession, open_build_session
from data.editions.reader import EditionReader
from data.errors import InvalidRequest, UserError

EDITIONS, BUILDING, LOCK, KEY = "editions", "building", "lock", "key"
EDITIONS_KEPT = 12
MIN_FREE_BYTES = 64 * 2**20
# Their locks or renames are not those of a local disk.
NETWORK_FILE_SYSTEMS = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "fuse.sshfs",
    "afs",
    "ceph",
    "fuse.glusterfs",
    "lustre",
}


def publish(
    home: Path | str,
    build: Callable[[BuildSession], dict],
    check: Callable[[EditionReader], dict] = lambda candidate: {},
    *,
    kind: Literal["full", "increment"],
    source: str = "",
    input_bytes: int = 0,
    memory: str | None = None,
    threads: int | None = None,
    read_dirs: tuple[Path, ...] = (),
    keep_order: bool = False,
    created: datetime | None = None,
) -> Edition:
    """Build one part aside, check it as readers will see it, and make it the current edition.

    build        fills the session's part; returns {"as_of": date, "months": [month ends of this part],
                 "notes": [sentences], …facts}; `months` are those of history.loan_month and history.customer_month
    check        looks at the candidate edition, opened read-only with all its parts; raises UserError to stop;
                 returns more facts
    input_bytes  size of the delivery; three times as much must be free on the volume; what memory it needs, see
                 `open_build_session`
    created      time of publishing, for people; None: now

    Raises UserError when another load is running, the home cannot serve, space is short or the months overlap those of
    the chain. Then, and after any error of build or check (they go through as they are), nothing is published and what
    was built is removed.
    """
    home = Path(home)
    preflight(home, input_bytes)
    with _writer(home):
        _sweep_building(home)
        before = edition_before(home, kind)
        if kind == "increment":
            if before is None:
                raise UserError("no_edition_to_extend", home=home)
            manifest.verify(before, home, trust_stamps=True)
        chain = before if kind == "increment" else None
        part = home / BUILDING / f"{os.getpid()}.duckdb"
        try:
            older = chain.paths(home) if chain else []
            facts = _build(part, older, build, memory, input_bytes, threads, read_dirs, keep_order)
            months = _months(chain, facts)
            spill = part.parent
            with contextlib.closing(
                EditionReader(
                    [*older, part], memory=memory, threads=threads, spill=spill, timeout=3600
                )
            ) as candidate:
                facts |= check(candidate) or {}
            with _disk_errors(home):
                older_parts = chain.parts if chain else ()
                parts = (*older_parts, _move_to_parts(part, home))
                edition = _new_edition(home, kind, source, parts, months, facts, created)
                _commit(home, edition, before)
        except DiskFull as error:
            raise _disk_full_error(home, input_bytes) from error
        finally:
            _tidy(home)
        return edition


def _new_edition(
    home: Path,
    kind: str,
    source: str,
    parts: tuple[Part, ...],
    months: tuple[date, ...],
    facts: dict,
    created: datetime | None,
) -> Edition:
    last_number = max((edition.number for edition in _known_editions(home)), default=0)
    # The fields of an edition; the rest of what build and check returned are its facts.
    fields = ("source", "as_of", "months", "notes")
    return Edition(
        id=manifest.edition_id(parts),
        number=1 + last_number,
        kind=kind,
        source=source or facts.get("source", ""),
        as_of=facts.get("as_of") or (months[-1] if months else None),
        months=months,
        created=(created or datetime.now(UTC)).isoformat(timespec="seconds"),
        parts=parts,
        notes=tuple(facts.get("notes", ())),
        facts={name: value for name, value in facts.items() if name not in fields},
        engine=VERSION,
    )


def current(home: Path | str) -> Edition | None:
    """Return the edition that CURRENT names, None in an empty home. UserError when it is broken."""
    return _current(Path(home))


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
        return _current(Path(home))
    except OlderFormat:
        if kind == "increment":
            raise
        return None


def history(home: Path | str) -> list[Edition]:
    """Return the editions that can be served, oldest first; pointers that cannot be read are left out."""
    return [edition for edition in _known_editions(Path(home)) if edition.format == FORMAT]


def rollback(home: Path | str, id: str) -> Edition:
    """Make a kept edition current again, after reading every byte of its parts.

    id  may be shortened to an unambiguous beginning

    Raises InvalidRequest when no or more than one edition answers to `id`, UserError when one of
    its parts is missing or damaged.
    """
    home = Path(home)
    preflight(home)
    with _writer(home), _disk_errors(home):
        known = _known_editions(home)
        matching = [edition for edition in known if id and edition.id.startswith(id)]
        if len(matching) != 1:
            code = "several_editions" if matching else "unknown_edition"
            raise InvalidRequest(
                code, id=id, editions=[edition.id for edition in matching or known]
            )
        target = matching[0]
        if target.format != FORMAT:
            name = f"{target.id}.json"
            raise OlderFormat("manifest_format", name=name, form=target.format, format=FORMAT)
        manifest.verify(target, home)
        # PREVIOUS must not lead back to the edition that was just withdrawn.
        older = [edition for edition in history(home) if edition.number < target.number]
        _commit(
            home,
            manifest.with_current_fingerprints(target, home),
            older[-1] if older else target,
            withdrawn=_current_or_none(home),
        )
        return target


def sweep(home: Path | str) -> list[str]:
    """Delete what no kept edition names: the 12 newest, CURRENT and PREVIOUS stay.

    Returns the names of the deleted parts. A reader that holds one of them keeps it until it lets go.
    """
    home = Path(home)
    preflight(home)
    with _writer(home), _disk_errors(home):
        _sweep_building(home)
        return _sweep_parts(home)


def secret_key(home: Path | str) -> bytes:
    """The home's 32 random bytes for keyed hashes, made on first use.

    Raises UserError when others may read the file or it is not whole.
    """
    path = Path(home) / KEY
    with _disk_errors(Path(home)):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f"{KEY}.{secrets.token_hex(8)}")
            _write(made, secrets.token_bytes(32), 0o600)
            # A link fails where a rename would replace: two first users end with the same key.
            with contextlib.suppress(FileExistsError):
                os.link(made, path)
            made.unlink()
            _fsync(path.parent)
        if path.stat().st_mode & 0o077:
            raise UserError("key_readable", path=path)
        key = path.read_bytes()
    if len(key) != 32:
        raise UserError("key_incomplete", path=path, count_key=len(key))
    return key


def preflight(home: Path | str, input_bytes: int = 0) -> None:
    """Make the home's folders.

    Raises UserError when it cannot be written, lies on a network volume, or too little space is free.
    """
    home = Path(home)
    try:
        if not home.exists():
            home.mkdir(parents=True)
            _fsync(home.resolve().parent)
        for folder in (home / PARTS, home / EDITIONS, home / BUILDING):
            folder.mkdir(exist_ok=True)
        os.close(os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
        volume, system = volume_of(home.resolve(), _mounts())
        free = shutil.disk_usage(home).free
    except OSError as error:
        raise UserError(
            "home_not_writable", home=home, strerror=error.strerror, filename=error.filename
        ) from None
    refuse_remote(home, volume, system)
    needed = max(MIN_FREE_BYTES, 3 * input_bytes)
    if free < needed:
        raise UserError("too_little_space", volume=volume, home=home, needed=needed, free=free)


def refuse_remote(home: Path, volume: str, system: str) -> None:
    """Raise UserError when `system`, the file system type of `volume`, is one of another machine's."""
    if system in NETWORK_FILE_SYSTEMS:
        raise UserError("network_volume", home=home, volume=volume, system=system)


def volume_of(path: Path, mountinfo: str) -> tuple[str, str]:
    """The mount point that holds an absolute path, and its file system's type, by the text of /proc/self/mountinfo."""
    best = ("/", "")
    for line in mountinfo.splitlines():
        place, _, system = line.partition(" - ")
        fields = place.split()
        if len(fields) < 5 or not system:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, system.split()[0])
    return best


@contextmanager
def _writer(home: Path) -> Generator[None]:
    handle = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
            raise UserError("load_running", home=home, holder=holder) from None
        with _disk_errors(home):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _build(part, older, build, memory, input_bytes, threads, read_dirs, keep_order) -> dict:
    spill = part.parent / "spill"
    work = open_build_session(
        part, older, memory=memory, input_bytes=input_bytes, threads=threads, spill=spill, read_dirs=read_dirs,
        keep_order=keep_order,
    )  # fmt: skip
    try:
        facts = dict(build(work) or {})
        work.close()
    finally:
        work.abandon()
    return facts


def _months(chain: Edition | None, facts: dict) -> tuple[date, ...]:
    new, held = sorted(set(facts.get("months") or ())), chain.months if chain else ()
    if new and held and new[0] <= held[-1]:
        raise UserError("increment_overlaps", first=new[0], last=held[-1])
    return (*held, *new)


def _move_to_parts(part: Path, home: Path) -> Part:
    """Give the finished part its name for ever."""
    os.chmod(part, 0o440)
    _fsync(part)
    digest = manifest.DIGESTS.of(part)
    final = home / PARTS / f"{digest[:16]}.duckdb"
    os.replace(part, final)
    _fsync(final.parent)
    return Part(final.name, digest, manifest.file_fingerprint(final))


def _commit(
    home: Path, edition: Edition, previous: Edition | None, withdrawn: Edition | None = None
) -> None:
    for known in (previous, withdrawn):
        if known:
            _remember(home, known)
    if previous:
        _save(home / PREVIOUS, previous)
    made = home / f"{CURRENT}.tmp"
    made.unlink(missing_ok=True)
    _write(made, manifest.dumps(edition).encode(), 0o644)
    os.replace(made, home / CURRENT)
    try:
        _fsync(home)
    except OSError as error:
        raise UserError("publish_unconfirmed", id=edition.id, strerror=error.strerror) from error
    # CURRENT itself remembers the edition; the next load writes this again before it replaces CURRENT.
    with contextlib.suppress(OSError):
        _remember(home, edition)


def _remember(home: Path, edition: Edition) -> None:
    _save(home / EDITIONS / f"{edition.id}.json", edition)


def _save(path: Path, edition: Edition) -> None:
    made = path.with_name(path.name + ".tmp")
    made.unlink(missing_ok=True)
    _write(made, manifest.dumps(edition).encode(), 0o644)
    os.replace(made, path)
    _fsync(path.parent)


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _current(home: Path) -> Edition | None:
    return manifest.read(home / CURRENT) if (home / CURRENT).exists() else None


def _current_or_none(home: Path) -> Edition | None:
    with contextlib.suppress(UserError):
        return _current(home)
    return None


def _known_editions(home: Path) -> list[Edition]:
    found: dict[str, Edition] = {}
    for path in (*sorted((home / EDITIONS).glob("*.json")), home / PREVIOUS, home / CURRENT):
        with contextlib.suppress(UserError):
            edition = manifest.read(path, any_format=True)
            found[edition.id] = edition
    return sorted(found.values(), key=lambda edition: edition.number)


def _sweep_building(home: Path) -> None:
    for left in (home / BUILDING).iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _tidy(home: Path) -> None:
    """Sweep without hiding the error that ended the load."""
    with contextlib.suppress(OSError, UserError):
        _sweep_building(home)
        _sweep_parts(home)


def _sweep_parts(home: Path) -> list[str]:
    known = _known_editions(home)
    pointers = [home / name for name in (CURRENT, PREVIOUS) if (home / name).exists()]
    pointed = [manifest.read(path, any_format=True) for path in pointers]
    kept = {edition.id: edition for edition in [*known[-EDITIONS_KEPT:], *pointed]}
    named = {part.file for edition in kept.values() for part in edition.parts}
    for edition in known:
        if edition.id not in kept:
            (home / EDITIONS / f"{edition.id}.json").unlink(missing_ok=True)
    deleted = sorted(path.name for path in (home / PARTS).iterdir() if path.name not in named)
    for name in deleted:
        (home / PARTS / name).unlink(missing_ok=True)
    return deleted


@contextmanager
def _disk_errors(home: Path) -> Generator[None]:
    """Turn the disk's errors into sentences."""
    try:
        yield
    except OSError as error:
        raise _disk_error(home, error) from error


def _disk_error(home: Path, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full_error(home, 0)
    return UserError(
        "disk_failed", home=home, strerror=error.strerror, value=error.filename or "writing"
    )


def _disk_full_error(home: Path, input_bytes: int) -> UserError:
    volume, _ = volume_of(home.resolve(), _mounts())
    needed, free = max(MIN_FREE_BYTES, 3 * input_bytes), shutil.disk_usage(home).free
    return UserError("volume_full", volume=volume, free=free, home=home, needed=needed)


def _mounts() -> str:
    path = Path("/proc/self/mountinfo")
    return path.read_text(encoding="utf-8") if path.exists() else ""
