"""Durable writes, the lock of the one writer, volumes, and errors of the disk in plain words."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from data.errors import UserError

LOCK = "lock"
MIN_FREE_BYTES = 64 * 2**20
# A load needs up to this many times the bytes of its delivery.
SPACE_PER_INPUT_BYTE = 3
# Their locks or renames are not those of a local disk.
NETWORK_FILE_SYSTEMS = {
    "afs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
}


def write_durably(path: Path, content: bytes, mode: int) -> None:
    """Create a file with this content and sync it to disk. Raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[os.write(handle, remaining) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_durably(path: Path, content: bytes, mode: int) -> None:
    """Write a file beside `path` and rename it over it; the folder is not synced."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    write_durably(temporary, content, mode)
    os.replace(temporary, path)


def sync(path: Path) -> None:
    """Sync a file or the entries of a folder to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_lock(home: Path) -> int:
    """Open the home's lock file, which is created on first use; return the file descriptor."""
    return os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


@contextmanager
def writer_lock(home: Path) -> Generator[None]:
    """Hold the home's lock, with the number of this process in the file.

    Raises
    ------
    UserError
        When another process holds it.
    """
    handle = open_lock(home)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
            raise UserError("load_running", home=home, holder=holder) from None
        with translate_disk_errors(home):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def volume_of(path: Path, mountinfo: str) -> tuple[str, str]:
    """Return the mount point that holds an absolute path and the type of its file system.

    Parameters
    ----------
    mountinfo
        The text of /proc/self/mountinfo (proc_pid_mountinfo(5)).
    """
    best = ("/", "")
    for line in mountinfo.splitlines():
        mount, _, file_system = line.partition(" - ")
        fields = mount.split()
        if len(fields) < 5 or not file_system:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, file_system.split()[0])
    return best


def refuse_remote(home: Path, volume: str, file_system: str) -> None:
    """Raise UserError when the file system of `volume` belongs to another machine."""
    if file_system in NETWORK_FILE_SYSTEMS:
        raise UserError("network_volume", home=home, volume=volume, system=file_system)


def require_space(home: Path, input_bytes: int) -> None:
    """Check volume and free space of a home for a delivery of `input_bytes` bytes.

    Raises
    ------
    UserError
        When the home lies on a network volume or too little space is free.
    OSError
        When the volume cannot be read.
    """
    volume, file_system = volume_of(home.resolve(), _mounts())
    free = shutil.disk_usage(home).free
    refuse_remote(home, volume, file_system)
    needed = _needed_bytes(input_bytes)
    if free < needed:
        raise UserError("too_little_space", volume=volume, home=home, needed=needed, free=free)


@contextmanager
def translate_disk_errors(home: Path) -> Generator[None]:
    """Turn OSError into UserError with the home and the reason."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise volume_full(home) from error
        raise UserError(
            "disk_failed", home=home, strerror=error.strerror, value=error.filename or home
        ) from error


def volume_full(home: Path, input_bytes: int = 0) -> UserError:
    """Return the error that names the full volume and the bytes that a load needs."""
    volume, _ = volume_of(home.resolve(), _mounts())
    free = shutil.disk_usage(home).free
    needed = _needed_bytes(input_bytes)
    return UserError("volume_full", volume=volume, free=free, home=home, needed=needed)


def _needed_bytes(input_bytes: int) -> int:
    return max(MIN_FREE_BYTES, SPACE_PER_INPUT_BYTE * input_bytes)


def _mounts() -> str:
    path = Path("/proc/self/mountinfo")
    return path.read_text(encoding="utf-8") if path.exists() else ""
