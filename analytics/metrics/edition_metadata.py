"""What one edition can be asked, looked up once per edition: months, filled tables, columns, codes and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from weakref import WeakKeyDictionary

from analytics.metrics.definitions import BORROWER, BORROWER_TOLD, Dimension, dimension_named
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import NEW, NONE

UNKNOWN = "unknown"
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


@dataclass(frozen=True)
class EditionMetadata:
    """months: the month ends; filled: tables that hold rows; cubes, columns: columns of the cubes and of the marts."""

    months: tuple[date, ...]
    filled: frozenset[str]
    cubes: Mapping[str, frozenset[str]]
    columns: Mapping[str, frozenset[str]]
    labels: dict = field(default_factory=dict)


_KNOWN: WeakKeyDictionary = WeakKeyDictionary()


def metadata(view) -> EditionMetadata:
    """What the leased edition can be asked; looked up once per edition."""
    if view not in _KNOWN:
        _KNOWN[view] = EditionMetadata(
            tuple(view.edition.months),
            frozenset(_filled(view)),
            {name: _whole(view, name) for name in view.tables if name.startswith("cube_")},
            {mart: _columns(view, mart) for mart in _MARTS},
        )
    return _KNOWN[view]


def _columns(view, mart: str) -> frozenset[str]:
    """The columns of a mart; what its rows tell of borrowers only where every part tells it."""
    found = frozenset(view.query(f"select * from {mart} limit 0").columns)
    if (
        BORROWER_TOLD in found
        and view.one(f"select exists (select 1 from {mart} where {BORROWER_TOLD} is null)")[0]
    ):
        return frozenset(name for name in found if not name.startswith(BORROWER))
    return found


def _filled(view) -> set[str]:
    """The tables that hold rows; interest of snapshots counts as payments."""
    found = {
        name
        for name in _TABLES
        if name in view.tables and view.one(f"select exists (select 1 from {name})")[0]
    }
    interest = "select exists (select 1 from loan_snapshot where interest_received is not null)"
    if "loan_snapshot" in found and view.one(interest)[0]:
        found.add("payment")
    return found


def _whole(view, cube: str) -> frozenset[str]:
    """The columns of a cube that every part kept; a definition changed since leaves gaps in older parts."""
    columns = view.query(f"select * from {cube} limit 0").columns
    measures = [name for name in columns if name.startswith("m_")]
    whole = view.query(
        "select " + ", ".join(f"count({m}) = count(*) as {m}" for m in measures) + f" from {cube}"
    ).iloc[0]
    return frozenset(name for name in columns if name not in measures or whole[name])


def has_deposits(view, month: date) -> bool:
    """Whether deposit balances of that month end were handed over."""
    cache = metadata(view).labels
    if ("deposit_balance", month) not in cache:
        sql = "select exists (select 1 from deposit_balance where as_of = $month)"
        cache["deposit_balance", month] = view.one(sql, None, month=month)[0]
    return cache["deposit_balance", month]


def labels(view, split: str, language: str, scheme: str = "abcd") -> dict[str, str]:
    """Code → label of every value a split can take, in the order in which they are shown."""
    cache = metadata(view).labels
    if (split, language, scheme) not in cache:
        cache[split, language, scheme] = _labels(view, split, language, scheme)
    return cache[split, language, scheme]


def _labels(view, split: str, language: str, scheme: str) -> dict[str, str]:
    zh = language == "zh-CN"
    unknown = {UNKNOWN: "未知" if zh else "Unknown"}
    if split == "class":
        of = schemes()[scheme]
        found = {code: of.class_names(code)["zh" if zh else "en"] for code in of.class_codes}
        return {
            **found,
            NONE: "无贷款" if zh else "No loan",
            NEW: "新增" if zh else "New",
            **unknown,
        }
    declared: Dimension = dimension_named(split)
    if declared.values:
        return {code: words[language] for code, words in declared.values.items()} | unknown
    queries = {
        "branch": "select branch_id as code, name, name_en from branch where level = $level order by branch_id",
        "manager": "select manager_id as code, name_masked as name, name_masked as name_en from manager order by 1",
        "product": "select product_id as code, name, name_en from product order by 1",
    }
    table = declared.sql.split(".")[0]
    if table in queries:
        frame = view.query(
            queries[table], None, **({"level": int(split[-1])} if table == "branch" else {})
        )
    else:
        mart, column = (
            ("loan_life", declared.sql[5:])
            if declared.of == "life"
            else ("customer_month", declared.sql[9:])
        )
        frame = view.query(
            f"select distinct {column} as code, {column} as name, {column} as name_en from {mart} "
            f"where {column} is not null order by 1"
        )
    names = frame["name"] if zh else frame["name_en"].fillna(frame["name"])
    return dict(zip(frame["code"], names.fillna(frame["code"]), strict=True)) | unknown
