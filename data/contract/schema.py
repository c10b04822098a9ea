"""The contract of a delivery, read from contract.toml into frozen dataclasses; a bad contract is refused with its
place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data.errors import UserError

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
PERSONAL = ("name", "id_number", "phone")
HISTORIES = ("events", "snapshots")
OTHER = "other"

TYPE_WORDS = {
    "key": (
        "文本，银行自己的编号（保留前导零）",
        "text, the bank's own identifier (leading zeros kept)",
    ),
    "text": ("文本", "text"),
    "date": ("日期 YYYY-MM-DD", "date YYYY-MM-DD"),
    "time": (
        "时间 YYYY-MM-DD HH:MM:SS（只用日历日）",
        "time YYYY-MM-DD HH:MM:SS (only its day counts)",
    ),
    "month": ("月末日期", "date of a month end"),
    "money": ("金额，人民币元，两位小数", "money in CNY, two decimals"),
    "rate": (
        "年率，六位小数（0.0435 即 4.35%）",
        "share of one a year, six decimals (0.0435 = 4.35 %)",
    ),
    "int": ("整数", "whole number"),
    "number": ("数", "number"),
    "bool": ("是否 true/false", "true/false"),
    "code": ("代码", "code"),
    "name": ("姓名（只存掩码）", "name (stored masked only)"),
    "id_number": (
        "证件号（只存掩码和带密钥的散列）",
        "identity number (stored masked and as a keyed hash)",
    ),
    "phone": ("手机号（只存掩码和带密钥的散列）", "phone (stored masked and as a keyed hash)"),
}


class BadContract(UserError):
    """contract.toml, or the columns of a source.toml, break their own rules; the message names the table and the
    column."""


MAX_MONEY = 9_999_999_999_999.99


@dataclass(frozen=True)
class Column:
    """One column: `values` only for codes; `low` and `high` bound numbers inclusively; `formats` are strptime
    patterns."""

    name: str
    type: str
    required: bool = False
    refers: str | None = None
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    formats: tuple[str, ...] = ()
    zh: str = ""
    en: str = ""

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """The least and the largest value: as declared; of money, at most what the marts hold (decimal(15,2))."""
        if self.type != "money":
            return self.low, self.high
        return (
            -MAX_MONEY if self.low is None else self.low,
            MAX_MONEY if self.high is None else self.high,
        )

    @property
    def is_personal(self) -> bool:
        return self.type in PERSONAL


@dataclass(frozen=True)
class Table:
    """One table of a delivery. `key` names the columns that identify a row."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    required: bool = False
    history: str | None = None
    zh: str = ""
    en: str = ""

    @property
    def required_columns(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns.values() if c.required)


@dataclass(frozen=True)
class Contract:
    """All tables a bank may hand over, in the order of contract.toml."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def table(self, name: str) -> Table:
        """The table of that name; KeyError where the contract has none."""
        return self.tables[name]


def read_column(table: str, name: str, raw: Any) -> Column:
    """One column declaration, checked. Raises BadContract."""
    place = f"{table}.{name}"
    if not name.isidentifier():
        raise BadContract("contract_name", place=place)
    if not isinstance(raw, dict):
        raise BadContract("contract_entry", place=place)
    known = {"type", "required", "refers", "values", "min", "max", "format", "formats", "zh", "en"}
    if unknown := sorted(set(raw) - known):
        raise BadContract("contract_option", place=place, option=unknown[0])
    kind = raw.get("type")
    if kind not in TYPES:
        raise BadContract("contract_type", place=place, value=kind, known=", ".join(TYPES))
    values = tuple(raw.get("values", ()))
    if (
        (kind == "code") != bool(values)
        or len(set(values)) != len(values)
        or not all(isinstance(v, str) for v in values)
    ):
        raise BadContract("contract_values", place=place)
    low, high = raw.get("min"), raw.get("max")
    if low is not None and high is not None and low > high:
        raise BadContract("contract_bounds", place=place)
    formats = raw.get("formats", [raw["format"]] if "format" in raw else [])
    return Column(
        name,
        kind,
        bool(raw.get("required", False)),
        raw.get("refers"),
        values,
        low,
        high,
        tuple(formats),
        raw.get("zh", ""),
        raw.get("en", ""),
    )


def read_table(name: str, raw: Mapping[str, Any]) -> Table:
    """One table declaration, checked. Raises BadContract."""
    if unknown := sorted(set(raw) - {"zh", "en", "required", "key", "history", "column"}):
        raise BadContract("contract_option", place=name, option=unknown[0])
    columns = {key: read_column(name, key, value) for key, value in raw.get("column", {}).items()}
    if not columns:
        raise BadContract("contract_empty", place=name)
    for column in raw.get("key", ()):
        if column not in columns:
            raise BadContract("contract_key", place=f"{name}.{column}")
    if raw.get("history") not in (None, *HISTORIES):
        raise BadContract("contract_history", place=name, value=raw["history"])
    return Table(
        name,
        MappingProxyType(columns),
        tuple(raw.get("key", ())),
        bool(raw.get("required", False)),
        raw.get("history"),
        raw.get("zh", ""),
        raw.get("en", ""),
    )


def read_contract(path: Path | None = None) -> Contract:
    """The contract of the file `path` (the product's own by default). Raises BadContract naming table and column."""
    path = path or Path(__file__).with_name("contract.toml")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadContract("contract_syntax", file=path.name, error=error) from None
    tables = {name: read_table(name, value) for name, value in raw.get("table", {}).items()}
    for table in tables.values():
        if not table.key:
            raise BadContract("contract_no_key", place=table.name)
        for column in table.columns.values():
            if column.refers and column.refers not in tables:
                raise BadContract(
                    "contract_refers", place=f"{table.name}.{column.name}", value=column.refers
                )
            if column.name != column.name.lower():
                raise BadContract("contract_name", place=f"{table.name}.{column.name}")
            if not (column.zh and column.en):
                raise BadContract("contract_words", place=f"{table.name}.{column.name}")
    return Contract(MappingProxyType(tables))


def describe(contract: Contract, language: str = "zh") -> str:
    """The contract as plain text for a bank's engineer; `language` is "zh" or "en"."""
    zh = language == "zh"
    lines = [
        "每个交付是一个文件夹：每张表一个文件（<表名>.csv 或 .parquet 或 .xlsx），最后写 manifest.json。"
        if zh
        else "A delivery is a folder: one file a table (<table>.csv, .parquet or .xlsx), manifest.json written last.",
        "customer、loan 必交；历史二选一：instalment 与 payment（流水），或 loan_snapshot（月末快照）。"
        if zh
        else "customer and loan are required, and one history: instalment with payment, or loan_snapshot.",
        "",
    ]
    for table in contract.tables.values():
        need = ("必交" if zh else "required") if table.required else ("可选" if zh else "optional")
        if table.history:
            need = f"{'历史' if zh else 'history'}: {table.history}"
        lines.append(f"{table.name}  [{need}]  {table.zh if zh else table.en}")
        lines.append(f"  {'主键' if zh else 'key'}: {', '.join(table.key)}")
        width = max(len(name) for name in table.columns)
        for column in table.columns.values():
            words = [(column.zh if zh else column.en), TYPE_WORDS[column.type][0 if zh else 1]]
            if column.values:
                words.append(" | ".join(column.values))
            if column.low is not None or column.high is not None:
                words.append(
                    f"[{'' if column.low is None else column.low}, {'' if column.high is None else column.high}]"
                )
            if column.refers:
                words.append(f"-> {column.refers}")
            mark = "*" if column.required else " "
            lines.append(
                f"  {mark} {column.name.ljust(width)}  {'；'.join(words) if zh else '; '.join(words)}"
            )
        lines.append("")
    lines.append("* 必填" if zh else "* a value is required")
    return "\n".join(lines)
