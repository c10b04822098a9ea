"""Writes the SQL of a question from the declarations: names come from there alone, every value is bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from analytics.metrics.definitions import BORROWER, Metric, dimension_named, measure_name
from analytics.metrics.edition_metadata import UNKNOWN, metadata
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import NEW, NONE
from analytics.sql.templates import fragment
from data.dates import month_end

COMPARISONS = {"mom": 1, "yoy": 12}
_JOINS = {
    "branch": "left join branch on branch.branch_key = fact.branch_key",
    "manager": "left join manager on manager.manager_key = fact.manager_key",
    "product": "left join product on product.product_key = fact.product_key",
}
_COLUMN = re.compile(r"\b(fact|branch|manager|product|customer)\.(\w+)")


@dataclass(frozen=True)
class CompiledQuery:
    """A question made ready: the SQL with its bound values."""

    sql: str
    params: Mapping[str, Any]
    columns: tuple[str, ...]
    months: tuple[date, ...]


def first_month(view, metric: Metric, question) -> date | None:
    """The first month end of the edition for which the question has enough history; None when there is none yet."""
    months = metadata(view).months
    by_class = "class" in (*question.by, *(name for name, _ in question.where))
    back = (question.opening or 1) if metric.is_move else question.opening if by_class else 0
    needed = max(metric.history - 1, back)
    return months[needed] if needed < len(months) else None


class SqlBuilder:
    """Writes the SQL of one question, or of the rows behind one cell."""

    def __init__(self, view, metric: Metric, question) -> None:
        self.view, self.metric, self.question = view, metric, question
        self.params: dict[str, Any] = {}
        self.joins: dict[str, str] = {}
        self.only = ""
        if metric.is_move:
            self._moved()
        if metric.asks_warnings:
            self.joins["warned"] = (
                f"left join (\n{fragment('customer_warned')}) as warned\n"
                "        on warned.customer_key = fact.customer_key and warned.as_of = fact.as_of"
            )

    def plan(self, cubes: bool = True) -> CompiledQuery:
        """The question's SQL; `cubes` lets the sums of a trend cube answer where they can."""
        q, metric = self.question, self.metric
        months = self._months()
        cube = self._cube(months) if cubes else None
        halves = {
            "numerator": metric.numerator_sql,
            "denominator": metric.denominator_sql,
            "n": metric.n_sql,
        }
        if cube:
            halves = {
                name: sql and f"sum(fact.{measure_name(sql)})" for name, sql in halves.items()
            }
        divisor = f"coalesce({halves['denominator']}, 0)" if halves["denominator"] else "null"
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
            f"        cast({divisor} as double) as denominator,\n"
            f"        cast(coalesce({halves['n']}, 0) as bigint) as n,\n"
            f"    from {cube or metric.source.id} as fact\n"
            + "".join(f"    {join}\n" for join in self.joins.values())
            + f"    where {where}\n"
            + (f"    group by {', '.join(sql for _, sql in by)}\n" if by else "")
            + f")\nselect{out}\n    numerator,\n    denominator,\n    {value} as value,\n    n,\nfrom sums"
            + ("\nwhere n > 0 or numerator <> 0" if q.by else "")
            + (f"\norder by {', '.join(self._order(name) for name in named)}" if named else "")
        )
        return CompiledQuery(sql, self.params, tuple(name for name, _ in by), tuple(months))

    def expression(self, name: str) -> str:
        """The SQL of a split over the joined tables; a join that it needs is noted."""
        if name == "class":
            return self._class()
        split = dimension_named(name)
        sql = self._joined(split.sql)
        return (
            f"case when {sql} then 'yes' when not {sql} then 'no' end" if split.is_yes_no else sql
        )

    def _order(self, name: str) -> str:
        if name == "by_class" and "opened" in self.joins:
            codes = ", ".join(
                f"'{code}'" for code in (*schemes()[self.question.scheme].class_codes, NONE, NEW)
            )
            return f"list_position([{codes}], sums.by_class)"
        split = name.removeprefix("by_")
        if split not in ("as_of", "class") and dimension_named(split).sql.startswith("case "):
            # Bands are text, which would follow the alphabet; enums follow their own order.
            codes = ", ".join(f"'{code}'" for code in dimension_named(split).values)
            return f"list_position([{codes}], sums.{name}) nulls last"
        return f"sums.{name} nulls last"

    def _moved(self) -> None:
        """Who stands in another class than at the opening, with a loan on both days; the opening of today's classes
        is a month ago."""
        q = self.question.about(opening=self.question.opening or 1)
        before, now = self._class(q), self.class_today()
        month = f"cast(last_day(fact.as_of - to_months({q.opening})) as date)"
        self.joins["began"] = (
            "left join customer_month as began\n"
            f"        on began.customer_key = fact.customer_key and began.as_of = {month}"
        )
        # Of the ladder are all classes but the one for those who cannot be graded, best first.
        ladder = ", ".join(f"'{code}'" for code in schemes()[q.scheme].class_codes[:-1])
        places = [f"list_position([{ladder}], cast({side} as varchar))" for side in (before, now)]
        on_both = (
            f"fact.has_loan and began.has_loan and {now} <> {before}\n"
            f"        and {now} in ({ladder}) and {before} in ({ladder})"
        )
        up, down = (f"{places[1]} {sign} {places[0]}" for sign in "<>")
        named = {"rows": self.metric.rows, "numerator": self.metric.numerator}
        self.metric = replace(
            self.metric,
            **{
                field: sql.replace("{up}", up).replace("{down}", down)
                for field, sql in named.items()
            },
        )
        # A condition of the whole query: few have moved, and only for them must the opening be looked up.
        self.only = on_both

    def _class(self, question=None) -> str:
        """The class of the question's scheme: a column of the mart where kept there, else looked up at the opening."""
        q, source = question or self.question, self.metric.source.id
        name = f"{q.scheme}_{q.opening}" if q.opening else q.scheme
        if name in metadata(self.view).columns[source]:
            return f"fact.{name}"
        by_loan = schemes()[q.scheme].grain == "loan"
        mart, key = (
            ("loan_month", "loan_key")
            if by_loan and self.metric.grain == "loan"
            else ("customer_month", "customer_key")
        )
        month = "fact.as_of" if self.metric.source.when == "month" else "cast($as_of as date)"
        if q.opening:
            month = f"cast(last_day({month} - to_months({q.opening})) as date)"
        self.joins["opened"] = (
            f"left join {mart} as opened\n        on opened.{key} = fact.{key} and opened.as_of = {month}"
        )
        if month.find("$as_of") >= 0:
            self.params["as_of"] = q.as_of
        return f"coalesce(cast(opened.{q.scheme} as varchar), '{NEW}')"

    def class_today(self) -> str:
        """The class of the question's scheme on the day itself."""
        scheme, source = self.question.scheme, self.metric.source.id
        if scheme in metadata(self.view).columns[source]:
            return f"fact.{scheme}"
        self.joins["graded"] = (
            "left join customer_month as graded\n"
            "        on graded.customer_key = fact.customer_key and graded.as_of = fact.as_of"
        )
        return f"graded.{scheme}"

    def _joined(self, sql: str) -> str:
        if self.metric.grain == "customer":
            sql = sql.replace("customer.", "fact.")
        else:
            held = metadata(self.view).columns[self.metric.source.id]
            for column in {column for table, column in _COLUMN.findall(sql) if table == "customer"}:
                if f"{BORROWER}{column}" in held:
                    sql = re.sub(rf"\bcustomer\.{column}\b", f"fact.{BORROWER}{column}", sql)
        for table, _ in _COLUMN.findall(sql):
            if table == "customer":
                month = "fact.as_of" if self.metric.source.when == "month" else "$as_of"
                self.joins[table] = (
                    "left join customer_month as customer\n"
                    f"        on customer.customer_key = fact.customer_key and customer.as_of = {month}"
                )
                if month == "$as_of":
                    self.params["as_of"] = self.question.as_of
            elif table != "fact":
                self.joins[table] = _JOINS[table]
        return sql

    def conditions(self, months: Sequence[date], extra: Mapping[str, str] = {}) -> str:
        """Everything after `where`: the months, the filters, the asker's scope, one cell."""
        q = self.question
        told = []
        if self.metric.source.when == "month":
            told.append(
                f"fact.as_of in ({', '.join(self._bind('as_of', month) for month in months)})"
            )
        else:
            self.params["as_of"] = q.as_of
            told.append(self.metric.source.when)
        if self.only:
            told.append(self.only)
        for name, codes in [*q.where, *((name, (code,)) for name, code in extra.items())]:
            told.append(self._among(name, codes))
        if q.scope:
            self._joined("branch.branch_1")
            ids = ", ".join(self._bind("scope", id) for id in q.scope)
            told.append(
                "(" + " or ".join(f"branch.branch_{level} in ({ids})" for level in (1, 2, 3)) + ")"
            )
        return "\n    and ".join(told)

    def _among(self, name: str, codes: Sequence[str]) -> str:
        sql = self.expression(name)
        given = [code for code in codes if code != UNKNOWN]
        tests = []
        if given:
            tests.append(
                f"cast({sql} as varchar) in ({', '.join(self._bind(name, code) for code in given)})"
            )
        if UNKNOWN in codes:
            tests.append(f"{sql} is null")
        return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"

    def _bind(self, name: str, value: Any) -> str:
        key = f"{_alias(name)}_{len(self.params)}"
        self.params[key] = value
        return f"${key}"

    def _months(self) -> list[date]:
        q = self.question
        if q.compare:
            return [month_end(q.as_of, -COMPARISONS[q.compare]), q.as_of]
        first = first_month(self.view, self.metric, q)
        return [
            month
            for month in (month_end(q.as_of, -back) for back in range(q.last - 1, -1, -1))
            if month >= first
        ]

    def _cube(self, months: Sequence[date]) -> str | None:
        """The cube that keeps all that the question needs, if one does."""
        metric, q = self.metric, self.question
        if metric.source.when != "month" or not metric.is_additive or metric.asks_warnings:
            return None
        name = f"cube_{metric.grain}_{q.scheme}"
        kept = metadata(self.view).cubes.get(name, frozenset())
        wanted = set(metric.measures)
        scope = ["branch_1"] if q.scope else []
        for split in [*q.by, *(split for split, _ in q.where), *scope]:
            if split == "class":
                wanted.add(f"{q.scheme}_{q.opening}" if q.opening else q.scheme)
                continue
            for table, column in _COLUMN.findall(dimension_named(split).sql):
                wanted.add(
                    {"branch": "branch_key", "product": "product_key"}.get(
                        table, column if table == "fact" else "?"
                    )
                )
        return name if wanted <= kept else None


def _alias(name: str) -> str:
    """The column of a split within the query: never a reserved word."""
    return name if name == "as_of" else f"by_{name}"


def _shown(alias: str) -> str:
    return f'"{alias.removeprefix("by_")}"'
