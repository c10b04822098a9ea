"""What one edition can answer: months, nonempty tables, columns, codes of each dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from weakref import WeakKeyDictionary

import pandas as pd

from analytics.metrics.definitions import (
    BORROWER_PREFIX,
    HAS_BORROWER_COLUMNS,
    Dimension,
    Metric,
    dimension_named,
)
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import NEW, NONE
from data.editions.reader import EditionReader

UNKNOWN = "unknown"
# What stands for the table payment where a bank delivers snapshots.
INTEREST_COLUMN = "loan_snapshot.interest_received"
_TABLES = (
    "instalment",
    "payment",
    "loan_snapshot",
    "income",
    "deposit_balance",
    "target",
    "action",
    "signal",
)
_MARTS = ("loan_month", "customer_month", "loan_life")
# Code and names of the dimensions that a table of the contract lists.
_NAMES_SQL = {
    "branch": (
        "select branch_id as code, name, name_en from branch where level = $level order by 1"
    ),
    "manager": (
        "select manager_id as code, name_masked as name, name_masked as name_en from manager "
        "order by 1"
    ),
    "product": "select product_id as code, name, name_en from product order by 1",
}


@dataclass(frozen=True)
class EditionMetadata:
    """What one edition holds.

    Attributes
    ----------
    months
        The month ends, oldest first.
    nonempty_tables
        The optional tables that have rows.
    cubes, columns
        The usable columns of each trend cube and of each mart.
    labels
        Cache of `labels`: (dimension, language, scheme) → code → label.
    deposit_months
        Cache of `has_deposits`.
    """

    months: tuple[date, ...]
    nonempty_tables: frozenset[str]
    cubes: Mapping[str, frozenset[str]]
    columns: Mapping[str, frozenset[str]]
    labels: dict[tuple[str, str, str], dict[str, str]] = field(default_factory=dict)
    deposit_months: dict[date, bool] = field(default_factory=dict)


_METADATA: WeakKeyDictionary[EditionReader, EditionMetadata] = WeakKeyDictionary()


def metadata(reader: EditionReader) -> EditionMetadata:
    """Return what the edition of the session holds; read once per edition."""
    if reader not in _METADATA:
        _METADATA[reader] = EditionMetadata(
            _months(reader),
            _nonempty_tables(reader),
            {
                name: _cube_columns(reader, name)
                for name in reader.tables
                if name.startswith("cube_")
            },
            {mart: _mart_columns(reader, mart) for mart in _MARTS},
        )
    return _METADATA[reader]


def _months(reader: EditionReader) -> tuple[date, ...]:
    if reader.edition is None:
        raise ValueError("a candidate edition has no metadata before it is published")
    return tuple(reader.edition.months)


def _exists(reader: EditionReader, rows: str, **params: date) -> bool:
    """Whether `rows`, the end of a SELECT, has any row."""
    row = reader.one(f"select exists (select 1 {rows})", None, **params)
    return bool(row and row[0])


def _mart_columns(reader: EditionReader, mart: str) -> frozenset[str]:
    """The columns of a mart; the borrower's only where every part has them."""
    columns = frozenset(reader.query(f"select * from {mart} limit 0").columns)
    if HAS_BORROWER_COLUMNS in columns and _exists(
        reader, f"from {mart} where {HAS_BORROWER_COLUMNS} is null"
    ):
        return frozenset(name for name in columns if not name.startswith(BORROWER_PREFIX))
    return columns


def _nonempty_tables(reader: EditionReader) -> frozenset[str]:
    """The optional tables that have rows; interest in snapshots counts as payments."""
    tables = {name for name in _TABLES if name in reader.tables and _exists(reader, f"from {name}")}
    if "loan_snapshot" in tables and _exists(
        reader, "from loan_snapshot where interest_received is not null"
    ):
        tables.add("payment")
    return frozenset(tables)


def absent_tables(edition: EditionMetadata, metric: Metric) -> list[str]:
    """Return the tables that a metric needs and the edition lacks, as the contract names them.

    Where the history is in snapshots, interest is a column of these, so that column is named.
    """
    absent = [table for table in metric.needs if table not in edition.nonempty_tables]
    if "loan_snapshot" in edition.nonempty_tables:
        return [INTEREST_COLUMN if table == "payment" else table for table in absent]
    return absent


def _cube_columns(reader: EditionReader, cube: str) -> frozenset[str]:
    """The columns of a cube without gaps: a changed definition is null in older parts."""
    columns = reader.query(f"select * from {cube} limit 0").columns
    measures = [name for name in columns if name.startswith("m_")]
    tests = ", ".join(f"count({name}) = count(*) as {name}" for name in measures)
    is_complete = reader.query(f"select {tests} from {cube}").iloc[0]
    return frozenset(name for name in columns if name not in measures or is_complete[name])


def has_deposits(reader: EditionReader, month: date) -> bool:
    """Whether deposit balances of that month end were delivered."""
    cache = metadata(reader).deposit_months
    if month not in cache:
        cache[month] = _exists(reader, "from deposit_balance where as_of = $month", month=month)
    return cache[month]


def labels(
    reader: EditionReader, dimension: str, lang: str, scheme: str = "abcd"
) -> dict[str, str]:
    """Return code → label of every value of a dimension, in display order."""
    cache = metadata(reader).labels
    key = (dimension, lang, scheme)
    if key not in cache:
        cache[key] = _labels(reader, dimension, lang, scheme)
    return cache[key]


def _labels(reader: EditionReader, dimension: str, lang: str, scheme: str) -> dict[str, str]:
    unknown = {UNKNOWN: "未知" if lang == "zh-CN" else "Unknown"}
    if dimension == "class":
        return _class_labels(lang, scheme) | unknown
    declared = dimension_named(dimension)
    if declared.values:
        return {code: names[lang] for code, names in declared.values.items()} | unknown
    frame = _names_in_data(reader, declared)
    names = frame["name"] if lang == "zh-CN" else frame["name_en"].fillna(frame["name"])
    return dict(zip(frame["code"], names.fillna(frame["code"]), strict=True)) | unknown


def _class_labels(lang: str, scheme: str) -> dict[str, str]:
    declared = schemes()[scheme]
    is_chinese = lang == "zh-CN"
    names = {code: declared.class_names(code)[lang] for code in declared.class_codes}
    no_loan = {NONE: "无贷款" if is_chinese else "No loan"}
    return names | no_loan | {NEW: "新增" if is_chinese else "New"}


def _names_in_data(reader: EditionReader, dimension: Dimension) -> pd.DataFrame:
    """The values of a dimension that the data name: code, name, name_en."""
    table, column = dimension.columns[0]
    if table == "branch":
        return reader.query(_NAMES_SQL[table], None, level=int(dimension.id[-1]))
    if table in _NAMES_SQL:
        return reader.query(_NAMES_SQL[table])
    mart = "loan_life" if dimension.of == "life" else "customer_month"
    return reader.query(
        f"select distinct {column} as code, {column} as name, {column} as name_en from {mart} "
        f"where {column} is not null order by 1"
    )
