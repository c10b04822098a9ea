"""The contract of a delivery: contract.toml as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data.declarations import BadDeclaration, Declaration, convert, convert_entries, read_toml
from data.messages import LANGUAGES

TYPES = (
    "key",
    "text",
    "date",
    "time",
    "month",
    "money",
    "rate",
    "int",
    "number",
    "bool",
    "code",
    "name",
    "id_number",
    "phone",
)
PERSONAL_TYPES = ("name", "id_number", "phone")
DATE_TYPES = ("date", "month", "time")
HISTORIES = ("events", "snapshots")
OTHER = "other"
# The marts hold money as decimal(15, 2).
MAX_MONEY = 9_999_999_999_999.99

Bound = int | float | None


class BadContract(BadDeclaration):
    """contract.toml or the columns of a source.toml break a rule that types cannot express."""


class _Described(Declaration, frozen=True):
    """What has a meaning in both languages; in the file the keys are `zh` and `en`."""

    zh: str = ""
    en: str = ""

    def meaning(self) -> Mapping[str, str]:
        """Return the meaning by language code."""
        return dict(zip(LANGUAGES, (self.zh, self.en), strict=True))


class _Words(Declaration, frozen=True):
    """A phrase in both languages."""

    zh: str
    en: str


class _ColumnDeclaration(_Described, frozen=True, kw_only=True):
    type: str
    required: bool = False
    refers: str | None = None
    values: tuple[str, ...] = ()
    min: Bound = None
    max: Bound = None
    format: str | None = None
    formats: tuple[str, ...] | None = None
    name: str | None = None
    enables: _Words | None = None


class _TableDeclaration(_Described, frozen=True, kw_only=True):
    column: Mapping[str, Any] = MappingProxyType({})
    key: tuple[str, ...] = ()
    required: bool = False
    history: str | None = None


class _ContractDeclaration(Declaration, frozen=True):
    table: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    refers
        The table whose key the column holds.
    values
        The codes, only of a code column.
    low, high
        Bounds of numbers, inclusive.
    formats
        strptime patterns of dates; empty for those of the source.
    title
        The header of the column in the delivered file.
    meaning
        What the column means, by language code.
    enables
        Which figures an optional column gives, by language code; empty when nothing more is said.
    """

    name: str
    type: str
    required: bool = False
    refers: str | None = None
    values: tuple[str, ...] = ()
    low: Bound = None
    high: Bound = None
    formats: tuple[str, ...] = ()
    title: str = ""
    meaning: Mapping[str, str] = field(default_factory=dict)
    enables: Mapping[str, str] = field(default_factory=dict)

    @property
    def limits(self) -> tuple[Bound, Bound]:
        """The least and the largest value: as declared; of money, at most ±`MAX_MONEY` CNY."""
        if self.type != "money":
            return self.low, self.high
        return (
            -MAX_MONEY if self.low is None else self.low,
            MAX_MONEY if self.high is None else self.high,
        )

    @property
    def is_personal(self) -> bool:
        """Whether the value identifies a person and is stored masked only."""
        return self.type in PERSONAL_TYPES


@dataclass(frozen=True)
class Table:
    """One table of a delivery; `key` names the columns that identify a row."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    required: bool = False
    history: str | None = None
    meaning: Mapping[str, str] = field(default_factory=dict)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The names of the columns in which every row must have a value."""
        return tuple(column.name for column in self.columns.values() if column.required)


@dataclass(frozen=True)
class Contract:
    """All tables that a bank may deliver, in the order of contract.toml."""

    tables: Mapping[str, Table]

    def table(self, name: str) -> Table:
        """Return the table of that name; KeyError when the contract has none."""
        return self.tables[name]


def read_columns(raw: Mapping[str, Any], file: str, place: str, table: str) -> Mapping[str, Column]:
    """Read the columns that a file declares at `place`.

    Raises
    ------
    BadDeclaration
        For an unknown or missing key or a wrong type, with its path.
    BadContract
        For a declaration that breaks another rule, with `table` and the column.
    """
    declared = convert_entries(raw, _ColumnDeclaration, file, place)
    return MappingProxyType(
        {name: _column(f"{table}.{name}", name, entry) for name, entry in declared.items()}
    )


def _column(place: str, name: str, declared: _ColumnDeclaration) -> Column:
    if not name.isidentifier():
        raise BadContract("contract_name", place=place)
    if declared.type not in TYPES:
        raise BadContract("contract_type", place=place, value=declared.type, known=", ".join(TYPES))
    is_code = declared.type == "code"
    has_repeated_values = len(set(declared.values)) != len(declared.values)
    if is_code != bool(declared.values) or has_repeated_values:
        raise BadContract("contract_values", place=place)
    if declared.min is not None and declared.max is not None and declared.min > declared.max:
        raise BadContract("contract_bounds", place=place)
    formats = declared.formats
    if formats is None:
        formats = () if declared.format is None else (declared.format,)
    return Column(
        name=name,
        type=declared.type,
        required=declared.required,
        refers=declared.refers,
        values=declared.values,
        low=declared.min,
        high=declared.max,
        formats=formats,
        title=declared.name or name,
        meaning=declared.meaning(),
        enables=_enables(declared.enables),
    )


def _enables(words: _Words | None) -> Mapping[str, str]:
    return dict(zip(LANGUAGES, (words.zh, words.en), strict=True)) if words else {}


def _table(name: str, raw: Any, file: str) -> Table:
    place = f"table.{name}"
    declared = convert(raw, _TableDeclaration, file, place)
    columns = read_columns(declared.column, file, f"{place}.column", name)
    if not columns:
        raise BadContract("contract_empty", place=name)
    for column in declared.key:
        if column not in columns:
            raise BadContract("contract_key", place=f"{name}.{column}")
    if declared.history not in (None, *HISTORIES):
        raise BadContract("contract_history", place=name, value=declared.history)
    if not declared.key:
        raise BadContract("contract_no_key", place=name)
    return Table(
        name=name,
        columns=columns,
        key=declared.key,
        required=declared.required,
        history=declared.history,
        meaning=declared.meaning(),
    )


def read_contract(path: Path | None = None) -> Contract:
    """Read a contract from `path`, by default the product's own.

    Raises
    ------
    BadDeclaration
        For a file that is no TOML and for unknown or missing keys and wrong types.
    BadContract
        For a table or column that breaks another rule.
    """
    path = path or Path(__file__).with_name("contract.toml")
    declared = convert(read_toml(path), _ContractDeclaration, path.name)
    tables = {name: _table(name, raw, path.name) for name, raw in declared.table.items()}
    for table in tables.values():
        for column in table.columns.values():
            _check_contract_column(f"{table.name}.{column.name}", column, tables)
    return Contract(MappingProxyType(tables))


def _check_contract_column(place: str, column: Column, tables: Mapping[str, Table]) -> None:
    if column.refers and column.refers not in tables:
        raise BadContract("contract_refers", place=place, value=column.refers)
    if column.name != column.name.lower():
        raise BadContract("contract_name", place=place)
    if not all(column.meaning.values()):
        raise BadContract("contract_words", place=place)
