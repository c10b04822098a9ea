"""A delivery: a folder with one file per table and, written last, manifest.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from data.contract.schema import Contract
from data.declarations import convert, convert_entries
from data.errors import InvalidRequest, UserError
from data.ingest.files import require_regular_file
from data.ingest.source import Source


class _FileEntry(msgspec.Struct, frozen=True):
    """A file of a table in manifest.json."""

    name: str
    sha256: str
    rows: int | None = None


class _TableEntry(msgspec.Struct, frozen=True):
    """A table in manifest.json."""

    files: list[_FileEntry]
    rows: int | None = None
    totals: dict[str, str | int | float] | None = None


class _ManifestDeclaration(msgspec.Struct, frozen=True, rename={"first": "from"}):
    """What manifest.json says; without `tables` the files are found by their names."""

    source: str | None = None
    kind: str | None = None
    as_of: str | None = None
    first: str | None = None
    tables: dict[str, Any] | None = None


SUFFIXES = (".parquet", ".csv", ".xlsx")
MANIFEST = "manifest.json"


@dataclass
class Delivery:
    """The files of a delivery, listed and hashed before they are read.

    Parameters
    ----------
    files
        Paths by table, or by raw file of a mapped source.
    sizes_and_mtimes
        Bytes and nanoseconds when the files were listed.
    sha256
        Hex digests by file name.
    """

    folder: Path
    files: dict[str, list[Path]]
    manifest: Mapping[str, Any] | None
    sizes_and_mtimes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(size for size, _ in self.sizes_and_mtimes.values())

    @property
    def fingerprint(self) -> str:
        """The sha256 over the names and contents of all files."""
        text = "\n".join(f"{name} {digest}" for name, digest in sorted(self.sha256.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def declared(self, table: str) -> Mapping[str, Any]:
        """Return the manifest's entry of a table; empty without one."""
        return (self.manifest or {}).get("tables", {}).get(table, {})

    def check_unchanged(self) -> None:
        """Raise UserError when a file changed since it was listed."""
        for path, size_and_mtime in self.sizes_and_mtimes.items():
            if _size_and_mtime(path) != size_and_mtime:
                raise UserError("file_changed", file=path.name)


def find_delivery(folder: Path, source: Source, contract: Contract) -> Delivery:
    """List and hash the files of a delivery.

    Raises
    ------
    InvalidRequest
        When the folder does not exist.
    UserError
        For missing, unlisted, repeated or altered files and for a manifest of another source.
    """
    if not folder.is_dir():
        raise InvalidRequest("no_folder", path=folder)
    manifest = _manifest(folder / MANIFEST, source)
    if source.files:
        files = {key: [folder / file.name] for key, file in source.files.items()}
        for key, paths in files.items():
            _require_files(paths, key)
    elif manifest is not None and "tables" in manifest:
        files = _files_by_manifest(folder, manifest, contract)
    else:
        files = _files_by_name(folder, contract)
    delivery = Delivery(folder, files, manifest)
    for paths in files.values():
        for path in paths:
            require_regular_file(path)
            delivery.sizes_and_mtimes[path] = _size_and_mtime(path)
    with ThreadPoolExecutor(2) as pool:
        digests = list(pool.map(_digest, delivery.sizes_and_mtimes))
    delivery.sha256 = {
        path.name: digest for path, digest in zip(delivery.sizes_and_mtimes, digests, strict=True)
    }
    _check_digests(delivery)
    delivery.check_unchanged()
    return delivery


def _check_digests(delivery: Delivery) -> None:
    """Raise UserError when a file differs from its sha256 in the manifest."""
    tables = (delivery.manifest or {}).get("tables", {}).values()
    for entry in [entry for table in tables for entry in table["files"]]:
        digest = delivery.sha256.get(entry["name"])
        if digest and digest != entry["sha256"].lower():
            raise UserError("sha_differs", file=entry["name"])


def _manifest(path: Path, source: Source) -> Mapping[str, Any] | None:
    if not path.exists() and not path.is_symlink():
        return None
    require_regular_file(path)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise UserError("manifest_syntax", error=error) from None
    declared = convert(manifest, _ManifestDeclaration, MANIFEST)
    tables = convert_entries(declared.tables or {}, _TableEntry, MANIFEST, "tables")
    for table in tables.values():
        for file in table.files:
            if Path(file.name).name != file.name or file.name in (".", ".."):
                raise UserError("bad_file_name", file=file.name)
    if declared.source not in (None, source.name):
        raise UserError("manifest_source", value=declared.source, source=source.name)
    return {name: value for name, value in manifest.items() if value is not None}


def _files_by_manifest(
    folder: Path, manifest: Mapping[str, Any], contract: Contract
) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for table, entry in manifest["tables"].items():
        if table not in contract.tables:
            raise UserError("manifest_table", table=table)
        files[table] = [folder / file["name"] for file in entry["files"]]
        _require_files(files[table], table)
    names = {path.name for paths in files.values() for path in paths}
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and path.name not in names:
            raise UserError("manifest_unlisted", file=path.name)
    return files


def _files_by_name(folder: Path, contract: Contract) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for table in contract.tables:
        candidates = [folder / f"{table}{suffix}" for suffix in SUFFIXES]
        paths = [path for path in candidates if path.exists()]
        if len(paths) > 1:
            raise UserError("two_files", table=table, files=", ".join(path.name for path in paths))
        if paths:
            files[table] = paths
    return files


def _require_files(paths: list[Path], table: str) -> None:
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise UserError("no_file", file=path.name, table=table)


def _size_and_mtime(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError("reading_failed", file=path.name, error=error.strerror) from None
