"""A Question (metric, month end, splits, filters) → one SQL text → an answer frame. One definition, many readers.

The answer of `ask`: the split columns (language-free codes as text), numerator, denominator, value, n; `as_of` first when several
month ends are asked for; with a comparison also numerator_before, denominator_before, value_before, n_before and change.
Sums are exact in the database and double in the frame; rates are shares of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from analytics import rulebooks
from analytics.build import CUBES, NEW, NONE, OPENINGS, month_end
from analytics.declared import Metric, Split, measure_name, metric_named, split_named
from data.engine import Refused

UNKNOWN = "unknown"
COMPARISONS = {"mom": 1, "yoy": 12}
_JOINS = {
    "branch": "left join branch on branch.branch_key = fact.branch_key",
    "manager": "left join manager on manager.manager_key = fact.manager_key",
    "product": "left join product on product.product_key = fact.product_key",
}
_COLUMN = re.compile(r"\b(fact|branch|manager|product|customer)\.(\w+)")


@dataclass(frozen=True)
class Question:
    """What is asked. Codes are language-free; `class` is the split by the class of `scheme`, `opening` months before as_of (0: today).

    where   pairs of split and allowed codes, all of which must hold
    last    number of month ends up to as_of; scope: branch ids that the asker may see, empty for all
    """

    metric: str
    as_of: date
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    scheme: str = "abcd"
    opening: int = 3
    last: int = 1
    compare: str | None = None
    scope: tuple[str, ...] = ()

    def about(self, metric: str | None = None, **changed: Any) -> Question:
        """The same question with something changed."""
        return replace(self, metric=metric or self.metric, **changed)


@lru_cache(maxsize=1)
def schemes() -> Mapping[str, Any]:
    """The rulebooks by scheme, read once."""
    return rulebooks.read()


@dataclass(frozen=True)
class Known:
    """What one edition can be asked: its month ends, the tables that hold rows, the columns of its cubes, the codes of its splits."""

    months: tuple[date, ...]
    filled: frozenset[str]
    cubes: Mapping[str, frozenset[str]]
    columns: Mapping[str, frozenset[str]]
    labels: dict = field(default_factory=dict)


_KNOWN: WeakKeyDictionary = WeakKeyDictionary()


def known(view) -> Known:
    """What the leased edition can be asked; looked up once per edition."""
    if view not in _KNOWN:
        filled = {
            name
            for name in (
                "instalment",
                "payment",
                "loan_snapshot",
                "income",
                "deposit_balance",
                "target",
                "action",
                "signal",
            )
            if name in view.tables and view.one(f"select exists (select 1 from {name})")[0]
        }
        if "loan_snapshot" in filled:
            filled |= (
                {"payment"}
                if view.one("select exists (select 1 from loan_snapshot where interest_received is not null)")[0]
                else set()
            )
        cubes = {}
        for name in view.tables:
            if name.startswith("cube_"):
                columns = view.query(f"select * from {name} limit 0").columns
                counts = ", ".join(f"count({c}) = count(*) as {c}" for c in columns if c.startswith("m_"))
                whole = view.query(f"select {counts} from {name}").iloc[0]
                cubes[name] = frozenset(c for c in columns if not c.startswith("m_") or whole[c])
        columns = {
            mart: frozenset(view.query(f"select * from {mart} limit 0").columns)
            for mart in ("loan_month", "customer_month", "loan_life")
        }
        _KNOWN[view] = Known(tuple(view.edition.months), frozenset(filled), cubes, columns)
    return _KNOWN[view]


@dataclass(frozen=True)
class Plan:
    """A question made ready: the SQL with its bound values."""

    sql: str
    params: Mapping[str, Any]
    columns: tuple[str, ...]


def ask(bank, question: Question) -> pd.DataFrame:
    """The answer frame (see the module). Raises Refused with a sentence for what cannot be asked or answered."""
    with bank.lease() as view:
        plan = plan_of(view, question)
        frame = view.query(plan.sql, None, **plan.params)
    return _compared(frame, question) if question.compare else frame


def sql_of(bank, question: Question) -> str:
    """The SQL text that `ask` sends, with its bound values in a comment."""
    with bank.lease() as view:
        plan = plan_of(view, question)
    return plan.sql + "\n-- " + ", ".join(f":{name} = {value}" for name, value in plan.params.items())


def plan_of(view, question: Question) -> Plan:
    metric = metric_named(question.metric)
    check(view, question)
    writer = _Writer(view, metric, question)
    return writer.plan()


def check(view, question: Question) -> None:
    """Raises Refused when the metric, split, code, scheme, opening, comparison or date cannot be answered from this edition."""
    metric, it = metric_named(question.metric), known(view)
    if question.opening not in (0, *OPENINGS):
        raise Refused(f"期初只能是 0、1、3、12 个月。The opening is 0, 1, 3 or 12 months ago, not {question.opening}.")
    if question.scheme not in schemes():
        raise Refused(
            f"没有分类方案 {question.scheme}。There is no scheme {question.scheme!r}. Known: {', '.join(schemes())}."
        )
    if question.compare not in (None, *COMPARISONS):
        raise Refused(f"比较只能是 mom 或 yoy。A comparison is mom or yoy, not {question.compare!r}.")
    if question.last < 1:
        raise Refused(f"月数至少为 1。The number of month ends is at least 1, not {question.last}.")
    if question.compare and question.last > 1:
        raise Refused("比较和多月序列不能同时要。Ask for a comparison or for several month ends, not both.")
    if question.as_of not in it.months:
        near = min(it.months, key=lambda month: abs((month - question.as_of).days))
        raise Refused(
            f"本版数据没有 {question.as_of}。This edition has no month end {question.as_of}; it has {it.months[0]} to {it.months[-1]}, "
            f"the nearest is {near}."
        )
    for table in metric.needs:
        if table not in it.filled:
            raise Refused(
                f"{metric.name['zh-CN']} 需要 {table} 表，本版没有交付。{metric.name['en']} needs the table {table}, which this edition does "
                "not have."
            )
    named = [*question.by, *(split for split, _ in question.where)]
    if doubled := {name for name in question.by if question.by.count(name) > 1}:
        raise Refused(f"拆分维度重复。The split {sorted(doubled)[0]!r} is named twice.")
    for name in named:
        if not metric.may_split(None if name == "class" else split_named(name)):
            raise Refused(
                f"{metric.name['zh-CN']} 不能按 {name} 拆分，否则会重复计算或没有意义。{metric.name['en']} may not honestly be split by {name}."
            )
    for name, codes in question.where:
        allowed = set(labels(view, name, "en", question.scheme)) | {UNKNOWN}
        for code in codes:
            if code not in allowed:
                raise Refused(
                    f"{name} 没有取值 {code}。{name} has no value {code!r}. Known: {', '.join(sorted(allowed)[:20])}."
                )
    first = first_month(view, question)
    if first is None or question.as_of < first:
        raise Refused(
            f"{metric.name['zh-CN']} 数据不足：最早可查 {first or '无'}。{metric.name['en']} needs more history: the first month end that can be "
            f"answered is {first or 'none yet'}."
        )
    if question.compare and month_end(question.as_of, -COMPARISONS[question.compare]) < first:
        raise Refused(
            f"没有可比较的月份。There is no month to compare {question.as_of} with: the first that can be answered is {first}."
        )


def first_month(view, question: Question) -> date | None:
    """The first month end of the edition for which the question has enough history; None when there is none yet."""
    metric, months = metric_named(question.metric), known(view).months
    back = question.opening if "class" in (*question.by, *(name for name, _ in question.where)) else 0
    needed = max(metric.history - 1, back)
    return months[needed] if needed < len(months) else None


class _Writer:
    """Writes the SQL of one question, or of the rows behind one cell."""

    def __init__(self, view, metric: Metric, question: Question) -> None:
        self.view, self.metric, self.question = view, metric, question
        self.params: dict[str, Any] = {}
        self.joins: dict[str, str] = {}

    def plan(self) -> Plan:
        q, metric = self.question, self.metric
        months = self._months()
        cube = self._cube(months)
        halves = {
            "numerator": metric.numerator_sql,
            "denominator": metric.denominator_sql,
            "n": metric.n_sql,
        }
        if cube:
            halves = {name: sql and f"sum(fact.{measure_name(sql)})" for name, sql in halves.items()}
        by = [(name, self.expression(name)) for name in q.by]
        if len(months) > 1:
            by.insert(0, ("as_of", "fact.as_of"))
        where = self.conditions(months)
        groups = "".join(f"\n        {sql} as {_alias(name)}," for name, sql in by)
        value = "numerator / nullif(denominator, 0)" if halves["denominator"] else "numerator"
        named = [_alias(name) for name, _ in by]
        out = "".join(
            f"\n    {name},"
            if name == "as_of"
            else f"\n    coalesce(cast({name} as varchar), '{UNKNOWN}') as {_shown(name)},"
            for name in named
        )
        sql = (
            f"with sums as (\n    select{groups}\n"
            f"        cast(coalesce({halves['numerator']}, 0) as double) as numerator,\n"
            f"        cast({halves['denominator'] or 'null'} as double) as denominator,\n"
            f"        cast(coalesce({halves['n']}, 0) as bigint) as n,\n"
            f"    from {cube or metric.source.id} as fact\n"
            + "".join(f"    {join}\n" for join in self.joins.values())
            + f"    where {where}\n"
            + (f"    group by {', '.join(sql for _, sql in by)}\n" if by else "")
            + f")\nselect{out}\n    numerator,\n    denominator,\n    {value} as value,\n    n,\nfrom sums"
            + ("\nwhere n > 0 or numerator <> 0" if q.by else "")
            + (f"\norder by {', '.join(self._order(name) for name in named)}" if named else "")
        )
        return Plan(sql, self.params, tuple(name for name, _ in by))

    def expression(self, name: str) -> str:
        """The SQL of a split over the joined tables; a join that it needs is noted."""
        q = self.question
        if name == "class":
            return self._class()
        split = split_named(name)
        sql = self._joined(split.sql)
        return f"case when {sql} then 'yes' when not {sql} then 'no' end" if split.is_yes_no else sql

    def _order(self, name: str) -> str:
        if name == "class_code" and "opened" in self.joins:
            codes = ", ".join(f"'{code}'" for code in (*schemes()[self.question.scheme].class_codes, NONE, NEW))
            return f"list_position([{codes}], sums.class_code)"
        return f"sums.{name} nulls last"

    def _class(self) -> str:
        """The class of the question's scheme: a column of the mart where it is kept there, else looked up at the opening."""
        q, source = self.question, self.metric.source.id
        name = f"{q.scheme}_{q.opening}" if q.opening else q.scheme
        if name in known(self.view).columns[source]:
            return f"fact.{name}"
        by_loan = schemes()[q.scheme].grain == "loan"
        mart, key = (
            ("loan_month", "loan_key")
            if by_loan and self.metric.grain == "loan"
            else ("customer_month", "customer_key")
        )
        month = "fact.as_of" if self.metric.source.when == "month" else "cast(:as_of as date)"
        if q.opening:
            month = f"cast(last_day({month} - to_months({q.opening})) as date)"
        self.joins["opened"] = (
            f"left join {mart} as opened\n        on opened.{key} = fact.{key} and opened.as_of = {month}"
        )
        if month.find(":as_of") >= 0:
            self.params["as_of"] = q.as_of
        return f"coalesce(cast(opened.{q.scheme} as varchar), '{NEW}')"

    def _joined(self, sql: str) -> str:
        if self.metric.grain == "customer":
            sql = sql.replace("customer.", "fact.")
        for table, _ in _COLUMN.findall(sql):
            if table == "customer":
                month = "fact.as_of" if self.metric.source.when == "month" else ":as_of"
                self.joins[table] = (
                    f"left join customer_month as customer\n        on customer.customer_key = fact.customer_key and customer.as_of = {month}"
                )
                if month == ":as_of":
                    self.params["as_of"] = self.question.as_of
            elif table != "fact":
                self.joins[table] = _JOINS[table]
        return sql

    def conditions(self, months: Sequence[date], extra: Mapping[str, str] = {}) -> str:
        """Everything after `where`: the months, the filters, the asker's scope, one cell."""
        q = self.question
        told = []
        if self.metric.source.when == "month":
            told.append(f"fact.as_of in ({', '.join(self._bind('as_of', month) for month in months)})")
        else:
            self.params["as_of"] = q.as_of
            told.append(self.metric.source.when)
        for name, codes in [*q.where, *((name, (code,)) for name, code in extra.items())]:
            told.append(self._among(name, codes))
        if q.scope:
            self._joined("branch.branch_1")
            ids = ", ".join(self._bind("scope", id) for id in q.scope)
            told.append("(" + " or ".join(f"branch.branch_{level} in ({ids})" for level in (1, 2, 3)) + ")")
        return "\n    and ".join(told)

    def _among(self, name: str, codes: Sequence[str]) -> str:
        sql = self.expression(name)
        given = [code for code in codes if code != UNKNOWN]
        tests = []
        if given:
            tests.append(f"cast({sql} as varchar) in ({', '.join(self._bind(name, code) for code in given)})")
        if UNKNOWN in codes:
            tests.append(f"{sql} is null")
        return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"

    def _bind(self, name: str, value: Any) -> str:
        key = f"{_alias(name)}_{len(self.params)}"
        self.params[key] = value
        return f":{key}"

    def _months(self) -> list[date]:
        q = self.question
        if q.compare:
            return [month_end(q.as_of, -COMPARISONS[q.compare]), q.as_of]
        first = first_month(self.view, q)
        return [month for month in (month_end(q.as_of, -back) for back in range(q.last - 1, -1, -1)) if month >= first]

    def _cube(self, months: Sequence[date]) -> str | None:
        """The cube that keeps all that the question needs, if one does."""
        metric, q = self.metric, self.question
        if metric.source.when != "month" or not metric.is_additive:
            return None
        name = f"cube_{metric.grain}_{q.scheme}"
        kept = known(self.view).cubes.get(name, frozenset())
        wanted = set(metric.measures)
        scope = ["branch_1"] if q.scope else []
        for split in [*q.by, *(split for split, _ in q.where), *scope]:
            if split == "class":
                wanted.add(f"{q.scheme}_{q.opening}" if q.opening else q.scheme)
                continue
            for table, column in _COLUMN.findall(split_named(split).sql):
                wanted.add(
                    {"branch": "branch_key", "product": "product_key"}.get(table, column if table == "fact" else "?")
                )
        return name if wanted <= kept else None


def _alias(name: str) -> str:
    return "class_code" if name == "class" else name


def _shown(name: str) -> str:
    return '"class"' if name == "class_code" else name


def _compared(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """One row per cell: this month beside the month compared with; a cell that is new or gone has gaps on one side."""
    now, keys = pd.Timestamp(question.as_of), list(question.by)
    figures = ["numerator", "denominator", "value", "n"]
    later = frame[frame.as_of == now].drop(columns="as_of")
    earlier = frame[frame.as_of != now].drop(columns="as_of").rename(columns={c: f"{c}_before" for c in figures})
    if keys:
        both = later.merge(earlier, on=keys, how="outer", sort=False)
        order = {cell: i for i, cell in enumerate(later[keys].itertuples(index=False, name=None))}
        both = both.iloc[
            sorted(range(len(both)), key=lambda i: order.get(tuple(both.loc[both.index[i], keys]), len(order)))
        ]
        both = both.reset_index(drop=True)
    else:
        both = pd.concat([later.reset_index(drop=True), earlier.reset_index(drop=True)], axis=1)
    for column in ("n", "n_before"):
        both[column] = both[column].fillna(0).astype("int64")
    return both.assign(change=both["value"] - both["value_before"])


def labels(view, split: str, language: str, scheme: str = "abcd") -> dict[str, str]:
    """Code → label of every value a split can take, in the order in which they are shown."""
    cache = known(view).labels
    if (split, language, scheme) not in cache:
        cache[split, language, scheme] = _labels(view, split, language, scheme)
    return cache[split, language, scheme]


def _labels(view, split: str, language: str, scheme: str) -> dict[str, str]:
    zh = language == "zh-CN"
    unknown = {UNKNOWN: "未知" if zh else "Unknown"}
    if split == "class":
        of = schemes()[scheme]
        found = {code: of.class_names(code)["zh" if zh else "en"] for code in of.class_codes}
        return {**found, NONE: "无贷款" if zh else "No loan", NEW: "新增" if zh else "New", **unknown}
    declared: Split = split_named(split)
    if declared.values:
        return {code: words[language] for code, words in declared.values.items()} | unknown
    queries = {
        "branch": "select branch_id as code, name, name_en from branch where level = :level order by branch_id",
        "manager": "select manager_id as code, name_masked as name, name_masked as name_en from manager order by 1",
        "product": "select product_id as code, name, name_en from product order by 1",
    }
    table = declared.sql.split(".")[0]
    if table in queries:
        frame = view.query(queries[table], None, **({"level": int(split[-1])} if table == "branch" else {}))
    else:
        mart, column = (
            ("loan_life", declared.sql[5:]) if declared.of == "life" else ("customer_month", declared.sql[9:])
        )
        frame = view.query(
            f"select distinct {column} as code, {column} as name, {column} as name_en from {mart} where {column} is not null order by 1"
        )
    names = frame["name"] if zh else frame["name_en"].fillna(frame["name"])
    return dict(zip(frame["code"], names.fillna(frame["code"]), strict=True)) | unknown
