"""A source: how one bank's extract maps to the contract, source.toml and one .sql per table."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data.contract.formats import CURRENCY, DATE_FORMATS, NULLS
from data.contract.schema import Contract, Table, read_columns
from data.declarations import BadDeclaration, Declaration, convert, convert_entries, read_toml
from data.errors import InvalidRequest, UserError
from data.ingest.encodings import ENCODINGS

SOURCES = Path(__file__).parents[1] / "sources"
FILE = "source.toml"
LIMITS = {"rejects": 0.001, "orphans": 0.001, "conflicts": 0.0001, "volume": 0.2}
"""Shares of the rows read above which nothing is published; `volume` is the change against the
load before."""


class _DeliveryDeclaration(Declaration, frozen=True, rename={"first": "from"}):
    as_of: dt.date | None = None
    first: dt.date | None = None


class _LimitsDeclaration(Declaration, frozen=True):
    rejects: float = LIMITS["rejects"]
    orphans: float = LIMITS["orphans"]
    conflicts: float = LIMITS["conflicts"]
    volume: float = LIMITS["volume"]


class _FileDeclaration(Declaration, frozen=True):
    name: str
    column: dict[str, Any]
    key: tuple[str, ...] = ()
    zh: str = ""
    en: str = ""
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int = 1


class _SourceDeclaration(Declaration, frozen=True):
    zh: str
    en: str
    history: str | None = None
    delivery: _DeliveryDeclaration = _DeliveryDeclaration()
    limits: _LimitsDeclaration = _LimitsDeclaration()
    encoding: str = "auto"
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1
    nulls: tuple[str, ...] = NULLS
    date_formats: tuple[str, ...] = DATE_FORMATS
    currency: str = CURRENCY
    notes: tuple[str, ...] = ()
    file: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class SourceFile:
    """One raw file of a mapped source: its name in the delivery and its columns, all required."""

    name: str
    table: Table
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1


@dataclass(frozen=True)
class Source:
    """One source.

    Parameters
    ----------
    files
        The raw files by key; empty when the files have the tables and columns of the contract.
    mappings
        The .sql files by the contract table that each returns.
    as_of, first
        Last and first month end of the delivery, when the source says them.
    limits
        Shares of rows, see `LIMITS`.
    nulls
        Words in lower case that stand for no value.
    currency
        The ISO code of the one currency of all amounts.
    digest
        The sha256 over source.toml and the .sql files.
    """

    name: str
    files: Mapping[str, SourceFile]
    mappings: Mapping[str, Path]
    as_of: dt.date | None
    first: dt.date | None
    limits: Mapping[str, float]
    encoding: str
    delimiter: str
    sheet: str | None
    header_row: int
    nulls: tuple[str, ...]
    date_formats: tuple[str, ...]
    notes: tuple[str, ...]
    currency: str
    digest: str


def source_names() -> list[str]:
    """Return the names of the sources of the product."""
    return sorted(path.parent.name for path in SOURCES.glob(f"*/{FILE}"))


def read_source(name: str, contract: Contract, folder: Path | None = None) -> Source:
    """Read one source's declaration from `folder`, by default the product's own.

    Raises
    ------
    InvalidRequest
        For an unknown name.
    UserError
        For a source.toml that breaks its rules.
    """
    home = (folder or SOURCES) / name
    if not name.isidentifier() or not (home / FILE).is_file():
        raise InvalidRequest("source_unknown", name=name, known=", ".join(source_names()))
    try:
        return _parse_source(name, home, read_toml(home / FILE), contract)
    except (BadDeclaration, ValueError) as error:
        raise UserError("source_bad", name=name, error=error) from None


def _parse_source(name: str, home: Path, raw: dict[str, Any], contract: Contract) -> Source:
    declared = convert(raw, _SourceDeclaration, FILE)
    if declared.encoding.lower() not in ENCODINGS:
        raise ValueError(f"encoding {declared.encoding}")
    if not re.fullmatch("[A-Z]{3}", declared.currency):
        raise ValueError(f"currency {declared.currency}")
    entries = convert_entries(declared.file, _FileDeclaration, FILE, "file")
    files = {key: _source_file(key, entry, declared.delimiter) for key, entry in entries.items()}
    mappings = {path.stem: path for path in sorted(home.glob("*.sql"))}
    if unknown := sorted(set(mappings) - set(contract.tables)):
        raise ValueError(f"{unknown[0]}.sql")
    if bool(files) != bool(mappings):
        raise ValueError("file, *.sql")
    return Source(
        name=name,
        files=files,
        mappings=mappings,
        as_of=declared.delivery.as_of,
        first=declared.delivery.first,
        limits={limit: getattr(declared.limits, limit) for limit in LIMITS},
        encoding=declared.encoding,
        delimiter=declared.delimiter,
        sheet=declared.sheet,
        header_row=declared.header_row,
        nulls=tuple(word.lower() for word in declared.nulls),
        date_formats=declared.date_formats,
        notes=declared.notes,
        currency=declared.currency,
        digest=_digest([home / FILE, *mappings.values()]),
    )


def _digest(paths: Sequence[Path]) -> str:
    """Return the sha256 over the names and contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _source_file(key: str, declared: _FileDeclaration, delimiter: str) -> SourceFile:
    place = f"file.{key}"
    columns = read_columns(declared.column, FILE, f"{place}.column", place)
    if unknown := sorted(set(declared.key) - set(columns)):
        raise ValueError(f"{place}.key {unknown[0]}")
    table = Table(f"file_{key}", columns, declared.key, required=True)
    return SourceFile(
        name=declared.name,
        table=table,
        delimiter=delimiter if declared.delimiter is None else declared.delimiter,
        sheet=declared.sheet,
        header_row=declared.header_row,
    )
