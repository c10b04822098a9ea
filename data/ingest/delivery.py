"""A delivery: a folder with one file per table and, last written, manifest.json. Found, listed and hashed before
it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from data.contract.schema import Contract
from data.errors import InvalidRequest, UserError
from data.ingest.files import require_regular_file
from data.ingest.source import Source

SUFFIXES = (".parquet", ".csv", ".xlsx")
MANIFEST = "manifest.json"


@dataclass
class Delivery:
    """`files` by table (or by raw file of a mapped source); `stamps` are (size, mtime) when they were listed."""

    folder: Path
    files: dict[str, list[Path]]
    manifest: Mapping | None
    sizes_and_mtimes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self.sizes_and_mtimes.values())

    @property
    def fingerprint(self) -> str:
        """One sha256 over the names and contents of all files."""
        text = "\n".join(f"{name} {digest}" for name, digest in sorted(self.sha256.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def promised(self, table: str) -> Mapping:
        """What the manifest says of a table; empty without one."""
        return (self.manifest or {}).get("tables", {}).get(table, {})

    def check_unchanged(self) -> None:
        """Refused when a file changed since it was listed."""
        for path, stamp in self.sizes_and_mtimes.items():
            if _size_and_mtime(path) != stamp:
                raise UserError("file_changed", file=path.name)


def find_delivery(folder: Path, source: Source, contract: Contract) -> Delivery:
    """List and hash the files of a delivery. UserError: missing, unlisted, doubled or altered files, a manifest of
    another source."""
    if not folder.is_dir():
        raise InvalidRequest("no_folder", path=folder)
    manifest = _manifest(folder / MANIFEST, source)
    if source.files:
        files = {key: [folder / file.name] for key, file in source.files.items()}
        for key, paths in files.items():
            _require_files(paths, key)
    elif manifest is not None:
        files = _files_by_manifest(folder, manifest, contract)
    else:
        files = _files_by_name(folder, contract)
    found = Delivery(folder, files, manifest)
    for paths in files.values():
        for path in paths:
            require_regular_file(path)
            found.sizes_and_mtimes[path] = _size_and_mtime(path)
    with ThreadPoolExecutor(2) as pool:
        digests = list(pool.map(_digest, found.sizes_and_mtimes))
    found.sha256 = {
        path.name: digest for path, digest in zip(found.sizes_and_mtimes, digests, strict=True)
    }
    for table in manifest["tables"].values() if manifest else ():
        for entry in table["files"]:
            if (
                entry["name"] in found.sha256
                and entry["sha256"].lower() != found.sha256[entry["name"]]
            ):
                raise UserError("sha_differs", file=entry["name"])
    found.check_unchanged()
    return found


def _manifest(path: Path, source: Source) -> Mapping | None:
    if not path.exists() and not path.is_symlink():
        return None
    require_regular_file(path)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8-sig"))
        entries = [entry for table in manifest["tables"].values() for entry in table["files"]]
        names = ["".join(entry["name"]) for entry in entries if entry["sha256"].lower()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError("manifest_syntax", error=f"{type(error).__name__}: {error}") from None
    for name in names:
        if Path(name).name != name or name in (".", ".."):
            raise UserError("bad_file_name", file=name)
    if manifest.get("source") != source.name:
        raise UserError("manifest_source", value=manifest.get("source"), source=source.name)
    return manifest


def _files_by_manifest(
    folder: Path, manifest: Mapping, contract: Contract
) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for table, entry in manifest["tables"].items():
        if table not in contract.tables:
            raise UserError("manifest_table", table=table)
        files[table] = [folder / file["name"] for file in entry["files"]]
        _require_files(files[table], table)
    named = {path.name for paths in files.values() for path in paths}
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES and path.name not in named:
            raise UserError("manifest_unlisted", file=path.name)
    return files


def _files_by_name(folder: Path, contract: Contract) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for table in contract.tables:
        here = [
            folder / f"{table}{suffix}"
            for suffix in SUFFIXES
            if (folder / f"{table}{suffix}").exists()
        ]
        if len(here) > 1:
            raise UserError("two_files", table=table, files=", ".join(path.name for path in here))
        if here:
            files[table] = here
    return files


def _require_files(paths: list[Path], table: str) -> None:
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise UserError("no_file", file=path.name, table=table)


def _size_and_mtime(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return found.st_size, found.st_mtime_ns


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError("reading_failed", file=path.name, error=error.strerror) from None
