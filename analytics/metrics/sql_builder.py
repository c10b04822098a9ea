"""The SQL of a question: identifiers come from the declarations alone, values are bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from analytics.metrics.definitions import (
    BORROWER_PREFIX,
    ColumnReference,
    Metric,
    dimension_named,
    measure_name,
)
from analytics.metrics.edition_metadata import UNKNOWN, metadata
from analytics.metrics.question import COMPARISONS, Question
from analytics.rulebooks.registry import schemes
from analytics.rulebooks.schemes import NEW, NONE
from analytics.sql.templates import fragment, load
from data.dates import month_end
from data.editions.reader import EditionReader

_JOINS = {
    "branch": "left join branch on branch.branch_key = fact.branch_key",
    "manager": "left join manager on manager.manager_key = fact.manager_key",
    "product": "left join product on product.product_key = fact.product_key",
}


@dataclass(frozen=True)
class CompiledQuery:
    """The SQL of a question with its bound values, the grouping columns and the month ends."""

    sql: str
    params: Mapping[str, Any]
    columns: tuple[str, ...]
    months: tuple[date, ...]


def first_month(reader: EditionReader, metric: Metric, question: Question) -> date | None:
    """The first month end with enough history for the question; None when there is none yet."""
    months = metadata(reader).months
    back = 0
    if metric.compares_classes:
        back = question.opening or 1
    elif question.uses_class:
        back = question.opening
    position = max(metric.history - 1, back)
    return months[position] if position < len(months) else None


class SqlBuilder:
    """Builds the SQL of one question, or its parts for a query of another form.

    `expression` and `conditions` add the joins and the bound values that they need, so `joins_sql`
    and `params` are complete only after them; `relation` keeps that order.

    Parameters
    ----------
    params
        Bound values of the query so far, when several builders contribute to one query.
    """

    def __init__(
        self,
        reader: EditionReader,
        metric: Metric,
        question: Question,
        params: dict[str, Any] | None = None,
    ) -> None:
        self.reader = reader
        self.metric = metric
        self.question = question
        self.params: dict[str, Any] = {} if params is None else params
        self.joins: dict[str, str] = {}
        self.extra_condition = ""
        if metric.compares_classes:
            self._compare_classes()
        if metric.needs_signals:
            self.joins["warned"] = (
                f"left join (\n{fragment('customer_warned')}) as warned\n"
                "        on warned.customer_key = fact.customer_key and warned.as_of = fact.as_of"
            )

    @property
    def joins_sql(self) -> str:
        """The joins that the expressions and conditions so far need, one a line."""
        return "\n".join(self.joins.values())

    def relation(self, months: Sequence[date], *conditions: str, table: str | None = None) -> str:
        """Return from, joins and where: the question's rows at `months` that pass `conditions`.

        `table` stands in for the metric's mart. Ask for the expressions of the select list before.
        """
        where = "\n    and ".join((self.conditions(months), *conditions))
        lines = [f"from {table or self._mart(months)} as fact", *self.joins.values()]
        return "\n".join((*lines, f"where {where}"))

    def _mart(self, months: Sequence[date]) -> str:
        """The metric's mart; loans as they stood at each of the month ends for loan_life."""
        source = self.metric.source
        if source.is_monthly:
            return source.id
        days = ", ".join(self._bind("as_of", month) for month in months)
        return f"(\n{load('facts/loan_life_at', months=days)})"

    def compile(self, cubes: bool = True) -> CompiledQuery:
        """Return the query of the question; `cubes` lets a trend cube answer where it can."""
        metric = self.metric
        months = self._months()
        cube = self._cube() if cubes else None
        groups = {name: self.expression(name) for name in self.question.by}
        if len(months) > 1:
            groups = {"as_of": "fact.as_of"} | groups
        numerator = _stored_sum(metric.numerator_sql, cube)
        denominator = metric.denominator_sql and _stored_sum(metric.denominator_sql, cube)
        divisor = f"coalesce({denominator}, 0)" if denominator else "null"
        sums = [f"{sql} as {_alias(name)}" for name, sql in groups.items()]
        sums += [
            f"cast(coalesce({numerator}, 0) as double) as numerator",
            f"cast({divisor} as double) as denominator",
            f"cast(coalesce({_stored_sum(metric.n_sql, cube)}, 0) as bigint) as n",
        ]
        value = "numerator / nullif(denominator, 0)" if denominator else "numerator"
        columns = [_output_column(name) for name in groups]
        columns += ["numerator", "denominator", f"{value} as value", "n"]
        lines = [
            f"with\n\nsums as (\n{_select(sums)}",
            self.relation(months, table=cube),
            *([f"group by {', '.join(groups.values())}"] if groups else []),
            f")\n\n{_select(columns)}",
            "from sums",
            *(["where n > 0 or numerator <> 0"] if self.question.by else []),
            *([f"order by {', '.join(map(self._order, groups))}"] if groups else []),
        ]
        return CompiledQuery("\n".join(lines), self.params, tuple(groups), tuple(months))

    def expression(self, name: str) -> str:
        """Return the SQL of a dimension over the joined tables."""
        if name == "class":
            return self._class(self.question.opening)
        dimension = dimension_named(name)
        sql = "".join(
            self._column(part) if isinstance(part, ColumnReference) else part
            for part in dimension.parts
        )
        if dimension.is_yes_no:
            return f"case when {sql} then 'yes' when not {sql} then 'no' end"
        return sql

    def class_today(self) -> str:
        """Return the SQL of the class of the question's scheme on the day itself."""
        scheme = self.question.scheme
        if scheme in metadata(self.reader).columns[self.metric.source.id]:
            return f"fact.{scheme}"
        self.joins["graded"] = (
            "left join customer_month as graded\n"
            "        on graded.customer_key = fact.customer_key and graded.as_of = fact.as_of"
        )
        return f"graded.{scheme}"

    def conditions(self, months: Sequence[date]) -> str:
        """Return everything after `where`: the month ends, the filters and the reader's scope."""
        question = self.question
        conditions = []
        if self.metric.source.is_monthly:
            days = ", ".join(self._bind("as_of", month) for month in months)
            conditions.append(f"fact.as_of in ({days})")
        else:
            conditions.append(self.metric.source.when)
        if self.extra_condition:
            conditions.append(self.extra_condition)
        conditions += [self._in_filter(name, codes) for name, codes in question.where]
        if question.scope:
            self.joins["branch"] = _JOINS["branch"]
            ids = ", ".join(self._bind("scope", id) for id in question.scope)
            levels = (f"branch.branch_{level} in ({ids})" for level in (1, 2, 3))
            conditions.append(f"({' or '.join(levels)})")
        return "\n    and ".join(conditions)

    def _in_filter(self, name: str, codes: Sequence[str]) -> str:
        sql = self.expression(name)
        tests = []
        values = ", ".join(self._bind(name, code) for code in codes if code != UNKNOWN)
        if values:
            tests.append(f"cast({sql} as varchar) in ({values})")
        if UNKNOWN in codes:
            tests.append(f"{sql} is null")
        return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"

    def _bind(self, name: str, value: Any) -> str:
        key = f"{_alias(name)}_{len(self.params)}"
        self.params[key] = value
        return f"${key}"

    def _column(self, reference: ColumnReference) -> str:
        """The column where it is stored, with the join that it needs."""
        table, column = reference
        if table == "customer":
            return self._customer_column(column)
        if table != "fact":
            self.joins[table] = _JOINS[table]
        return f"{table}.{column}"

    def _customer_column(self, column: str) -> str:
        """A column of customer_month of the same month, from the mart's own row where it has it."""
        if self.metric.grain == "customer":
            return f"fact.{column}"
        repeated = f"{BORROWER_PREFIX}{column}"
        if repeated in metadata(self.reader).columns[self.metric.source.id]:
            return f"fact.{repeated}"
        self.joins["customer"] = (
            "left join customer_month as customer\n"
            "        on customer.customer_key = fact.customer_key"
            " and customer.as_of = fact.as_of"
        )
        return f"customer.{column}"

    def _class(self, opening: int) -> str:
        """The class so many months before: a column of the mart, else joined from that month."""
        scheme = self.question.scheme
        name = f"{scheme}_{opening}" if opening else scheme
        if name in metadata(self.reader).columns[self.metric.source.id]:
            return f"fact.{name}"
        mart = "customer_month"
        if schemes()[scheme].grain == "loan" and self.metric.grain == "loan":
            mart = "loan_month"
        key = f"{mart.removesuffix('_month')}_key"
        month = "fact.as_of"
        if opening:
            month = f"cast(last_day({month} - to_months({opening})) as date)"
        self.joins["opened"] = (
            f"left join {mart} as opened\n"
            f"        on opened.{key} = fact.{key} and opened.as_of = {month}"
        )
        return f"coalesce(cast(opened.{scheme} as varchar), '{NEW}')"

    def _compare_classes(self) -> None:
        """Restrict to customers whose class changed since the opening, with a loan on both dates.

        With opening 0 the comparison date is one month earlier.
        """
        opening = self.question.opening or 1
        before = self._class(opening)
        now = self.class_today()
        month = f"cast(last_day(fact.as_of - to_months({opening})) as date)"
        self.joins["began"] = (
            "left join customer_month as began\n"
            f"        on began.customer_key = fact.customer_key and began.as_of = {month}"
        )
        # All classes, best first, but the last one, which is for customers who cannot be graded.
        codes = schemes()[self.question.scheme].class_codes[:-1]
        ladder = ", ".join(f"'{code}'" for code in codes)
        position_now = _position_sql(codes, f"cast({now} as varchar)")
        position_before = _position_sql(codes, f"cast({before} as varchar)")
        self.metric = self.metric.with_class_comparison(
            up=f"{position_now} < {position_before}", down=f"{position_now} > {position_before}"
        )
        # On the whole query: few customers changed, and only for them the opening is looked up.
        self.extra_condition = (
            f"fact.has_loan and began.has_loan and {now} <> {before}\n"
            f"        and {now} in ({ladder}) and {before} in ({ladder})"
        )

    def _order(self, name: str) -> str:
        """Return the order of one grouping column: the declared order of its codes."""
        column = f"sums.{_alias(name)}"
        if name == "class":
            if "opened" not in self.joins:
                return f"{column} nulls last"
            codes = (*schemes()[self.question.scheme].class_codes, NONE, NEW)
            return _position_sql(codes, column)
        if name != "as_of" and dimension_named(name).sql.startswith("case "):
            # Bands are text, which would sort alphabetically; enums keep their own order.
            return f"{_position_sql(dimension_named(name).values, column)} nulls last"
        return f"{column} nulls last"

    def _months(self) -> list[date]:
        question = self.question
        if question.compare:
            return [month_end(question.as_of, -COMPARISONS[question.compare]), question.as_of]
        first = first_month(self.reader, self.metric, question)
        months = (month_end(question.as_of, -back) for back in range(question.last - 1, -1, -1))
        return [month for month in months if first and month >= first]

    def _cube(self) -> str | None:
        """The trend cube that stores everything the question needs, if one does."""
        metric = self.metric
        question = self.question
        if not metric.source.is_monthly or not metric.is_additive or metric.needs_signals:
            return None
        name = f"cube_{metric.grain}_{question.scheme}"
        required = set(metric.measures)
        for dimension in (*question.dimensions, *(["branch_1"] if question.scope else [])):
            required |= self._cube_columns(dimension)
        return name if required <= metadata(self.reader).cubes.get(name, frozenset()) else None

    def _cube_columns(self, dimension: str) -> set[str]:
        """The cube columns that a dimension needs; one that no cube has where it needs a join."""
        question = self.question
        if dimension == "class":
            opening = question.opening
            return {f"{question.scheme}_{opening}" if opening else question.scheme}
        keys = {"branch": "branch_key", "product": "product_key"}
        return {
            column if table == "fact" else keys.get(table, "?")
            for table, column in dimension_named(dimension).columns
        }


def _select(columns: Sequence[str]) -> str:
    return "select\n" + "".join(f"    {column},\n" for column in columns).rstrip("\n")


def _stored_sum(sql: str, cube: str | None) -> str:
    """The aggregate itself, or the sum of the cube column that stores it."""
    return f"sum(fact.{measure_name(sql)})" if cube else sql


def _position_sql(codes: Iterable[str], value: str) -> str:
    literals = ", ".join(f"'{code}'" for code in codes)
    return f"list_position([{literals}], {value})"


def _alias(name: str) -> str:
    """The column of a dimension within the query, which is never a reserved word."""
    return name if name == "as_of" else f"by_{name}"


def _output_column(name: str) -> str:
    if name == "as_of":
        return name
    return f"coalesce(cast({_alias(name)} as varchar), '{UNKNOWN}') as \"{name}\""
