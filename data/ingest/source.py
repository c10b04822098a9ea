"""A source: how one bank's extract maps to the contract. data/sources/<name>/source.toml and one .sql per table."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.contract.formats import DATE_FORMATS, NULLS
from data.contract.schema import BadContract, Contract, Table, read_column
from data.errors import InvalidRequest, UserError
from data.ingest.encodings import ENCODINGS

SOURCES = Path(__file__).parents[1] / "sources"
LIMITS = {"rejects": 0.001, "orphans": 0.001, "conflicts": 0.0001, "volume": 0.2}
"""Shares of the rows read above which nothing is published; `volume` is the change against the load before."""


@dataclass(frozen=True)
class SourceFile:
    """One raw file of a mapped source: its name in the delivery and its columns, all of which must be there."""

    name: str
    table: Table
    delimiter: str = ","
    sheet: str | None = None
    header_row: int = 1


@dataclass(frozen=True)
class Source:
    """`files` is empty for a source whose files are shaped like the contract; `mappings` are its .sql files by
    table."""

    name: str
    words: Mapping[str, str]
    files: Mapping[str, SourceFile]
    mappings: Mapping[str, Path]
    history: str | None
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

    @property
    def is_contract(self) -> bool:
        return not self.files


def source_names() -> list[str]:
    return sorted(path.parent.name for path in SOURCES.glob("*/source.toml"))


def read_source(name: str, contract: Contract, folder: Path | None = None) -> Source:
    """Read one source's declaration.

    Raises
    ------
    InvalidRequest
        For an unknown name.
    UserError
        For a source.toml that breaks its rules.
    """
    home = (folder or SOURCES) / name
    if not name.isidentifier() or not (home / "source.toml").is_file():
        raise InvalidRequest("source_unknown", name=name, known=", ".join(source_names()))
    try:
        raw = tomllib.loads((home / "source.toml").read_text(encoding="utf-8"))
        return _parse_source(name, home, raw, contract)
    except (tomllib.TOMLDecodeError, BadContract, KeyError, TypeError, ValueError) as error:
        raise UserError("source_bad", name=name, error=error) from None


def _parse_source(name: str, home: Path, raw: dict, contract: Contract) -> Source:
    known = {
        "zh",
        "en",
        "history",
        "delivery",
        "limits",
        "encoding",
        "delimiter",
        "sheet",
        "header_row",
        "nulls",
        "date_formats",
        "notes",
        "file",
    }
    if unknown := sorted(set(raw) - known):
        raise ValueError(unknown[0])
    if unknown := sorted(set(raw.get("limits", {})) - set(LIMITS)):
        raise ValueError(f"limits.{unknown[0]}")
    if raw.get("encoding", "auto").lower() not in ENCODINGS:
        raise ValueError(f"encoding {raw['encoding']}")
    files = {}
    for key, entry in raw.get("file", {}).items():
        columns = {
            column: read_column(f"file.{key}", column, value)
            for column, value in entry["column"].items()
        }
        identity = tuple(entry.get("key", ()))
        if unknown := sorted(set(identity) - set(columns)):
            raise ValueError(f"file.{key}.key {unknown[0]}")
        table = Table(
            f"file_{key}", columns, identity, True, None, entry.get("zh", ""), entry.get("en", "")
        )
        files[key] = SourceFile(
            entry["name"],
            table,
            entry.get("delimiter", raw.get("delimiter", ",")),
            entry.get("sheet"),
            entry.get("header_row", 1),
        )
    mappings = {path.stem: path for path in sorted(home.glob("*.sql"))}
    if unknown := sorted(set(mappings) - set(contract.tables)):
        raise ValueError(f"{unknown[0]}.sql")
    if bool(files) != bool(mappings):
        raise ValueError("file, *.sql")
    delivery = raw.get("delivery", {})
    return Source(
        name,
        {"zh": raw["zh"], "en": raw["en"]},
        files,
        mappings,
        raw.get("history"),
        delivery.get("as_of"),
        delivery.get("from"),
        LIMITS | raw.get("limits", {}),
        raw.get("encoding", "auto"),
        raw.get("delimiter", ","),
        raw.get("sheet"),
        raw.get("header_row", 1),
        tuple(word.lower() for word in raw.get("nulls", NULLS)),
        tuple(raw.get("date_formats", DATE_FORMATS)),
        tuple(raw.get("notes", ())),
    )
