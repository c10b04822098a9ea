"""The metrics and dimensions declared in metrics.toml, as typed objects."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from data.declarations import BadDeclaration, Declaration, convert_entries, read_toml
from data.errors import UserError

DECLARATIONS = Path(__file__).with_name("metrics.toml")
LANGUAGES = ("zh-CN", "en")
# SQL type of the sums that the cubes store.
MEASURES = {"money": "decimal(18, 2)", "count": "bigint"}
# The kinds of dimension by which a metric may be split, by the metric's own kind: a customer may
# hold several products, so the number of customers has no split by product. `class` is a kind too.
ALLOWED_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "loan": ("row", "loan", "month_loan", "month", "customer", "class"),
    "customer": ("row", "month", "customer", "class"),
    "life": ("row", "loan", "life", "customer"),
}
# Prefix of the customer columns that loan_month repeats from the borrower's row of customer_month.
# Parts made before these columns existed lack HAS_BORROWER_COLUMNS and are joined instead.
BORROWER_PREFIX = "borrower_"
HAS_BORROWER_COLUMNS = "has_borrower_columns"
# Columns of loan_life that a source delivers without a date: only their newest value is known.
UNDATED_COLUMNS = frozenset({"outcome", "status_code"})
# A share of fewer rows says nothing about the group: it is shown in grey, with 样本不足.
MIN_GROUP_SIZE = 30

_COLUMN_REFERENCE = re.compile(r"\b(fact|branch|manager|product|customer)\.(\w+)")


class ColumnReference(NamedTuple):
    """A column that a dimension reads: `table` is fact, branch, manager, product or customer."""

    table: str
    column: str


class Source(Declaration, frozen=True):
    """A mart; `when` is "month" for one row per `grain` and month end, else a condition."""

    id: str
    grain: Literal["loan", "customer"]
    when: str

    @property
    def is_monthly(self) -> bool:
        """Whether the mart has one row per `grain` and month end."""
        return self.when == "month"


class Dimension(Declaration, frozen=True):
    """What a metric may be grouped by.

    Attributes
    ----------
    sql
        Expression over fact (the mart), branch, product, manager and customer.
    of
        The kind of dimension, see `ALLOWED_DIMENSIONS`.
    values
        Code → name by language; empty where the codes come from the data.
    """

    id: str
    name: Mapping[str, str]
    sql: str
    of: Literal["row", "loan", "month_loan", "month", "customer", "life"]
    values: Mapping[str, Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        _require_languages(self, "name")

    @property
    def is_yes_no(self) -> bool:
        """Whether `sql` is a condition, answered by yes and no."""
        return set(self.values) == {"yes", "no"}

    @cached_property
    def parts(self) -> tuple[str | ColumnReference, ...]:
        """`sql` in order, as plain text and the columns that it reads."""
        parts: list[str | ColumnReference] = []
        end = 0
        for match in _COLUMN_REFERENCE.finditer(self.sql):
            parts += [self.sql[end : match.start()], ColumnReference(match[1], match[2])]
            end = match.end()
        return (*parts, self.sql[end:])

    @property
    def columns(self) -> tuple[ColumnReference, ...]:
        """The columns that `sql` reads."""
        return tuple(part for part in self.parts if isinstance(part, ColumnReference))

    @property
    def undated_columns(self) -> tuple[str, ...]:
        """The columns that `sql` reads of which only the newest value is known."""
        return tuple(column for _, column in self.columns if column in UNDATED_COLUMNS)


class Metric(Declaration, frozen=True):
    """One declared number: numerator ÷ denominator, or the numerator where there is no denominator.

    Attributes
    ----------
    population
        SQL condition: the rows that n counts.
    numerator_filter
        SQL condition: the rows of the population in the numerator; None where the numerator is no
        share of the population.
    measure_expr
        SQL expression that is summed in numerator and denominator.
    unit
        Of the value: rate (a share of one), money (CNY), count, number or days.
    measure
        Of numerator and denominator: money (CNY) or count.
    splits
        The metric's kind in `ALLOWED_DIMENSIONS`.
    history
        Month ends that must exist before the value is complete.
    needs
        Tables without which the metric is refused.
    """

    id: str
    name: Mapping[str, str]
    meaning: Mapping[str, str]
    formula: Mapping[str, str]
    source: Source
    population: str
    unit: Literal["count", "money", "rate", "number", "days"]
    measure: Literal["money", "count"]
    better: Literal["lower", "higher", "neither"]
    splits: Literal["loan", "customer", "life"]
    owner: str
    numerator_filter: str | None = None
    measure_expr: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    history: int = 1
    needs: tuple[str, ...] = ()
    retired: str | None = None

    def __post_init__(self) -> None:
        _require_languages(self, "name", "meaning", "formula")
        if bool(self.numerator) == bool(self.measure_expr):
            raise ValueError("either numerator, or numerator_filter and measure_expr, is needed")
        if self.measure_expr and not self.numerator_filter:
            raise ValueError("measure_expr without numerator_filter")

    @property
    def grain(self) -> str:
        """What a row of the mart stands for: loan or customer."""
        return self.source.grain

    @cached_property
    def numerator_sql(self) -> str:
        """The aggregate over the rows of the mart that gives the numerator."""
        if self.numerator:
            return self.numerator
        return f"{self._sum} filter (where ({self.population}) and ({self.numerator_filter}))"

    @cached_property
    def denominator_sql(self) -> str | None:
        """The aggregate that gives the denominator; None where there is none."""
        if self.numerator:
            return self.denominator
        return f"{self._sum} filter (where {self.population})"

    @property
    def _sum(self) -> str:
        # The same text as in n_sql, so that a cube stores both as one column.
        return "count(*)" if self.counts_rows else f"sum({self.measure_expr})"

    @cached_property
    def n_sql(self) -> str:
        """The aggregate that gives n, the number of rows of the population."""
        if self.numerator and "distinct" in self.numerator:
            return self.numerator
        return f"count(*) filter (where {self.population})"

    @property
    def counts_rows(self) -> bool:
        """Whether each row counts as one, so that the value is a share of rows."""
        return self.measure_expr == "1"

    @property
    def is_additive(self) -> bool:
        """Whether the numerators of the parts add up to that of the whole."""
        return "distinct" not in self.numerator_sql

    @property
    def compares_classes(self) -> bool:
        """Whether it compares the class with that of the opening: its SQL has {up} and {down}."""
        return "{" in self.population

    def with_class_comparison(self, up: str, down: str) -> Metric:
        """Replace {up} and {down} by the conditions for a better and for a worse class."""
        return msgspec.structs.replace(
            self,
            population=self.population.format(up=up, down=down),
            numerator=self.numerator and self.numerator.format(up=up, down=down),
        )

    @property
    def needs_signals(self) -> bool:
        """Whether it counts signals, which no mart stores: `warned` is joined."""
        return "warned." in f"{self.population} {self.numerator_filter} {self.numerator}"

    @property
    def measures(self) -> dict[str, str]:
        """The sums that the trend cubes store of this metric: column → aggregate."""
        if self.compares_classes or self.needs_signals:
            return {}
        measures = {measure_name(self.n_sql): f"{self.n_sql}::bigint"}
        for sql in (self.numerator_sql, self.denominator_sql):
            if sql:
                measure = "count" if "count(" in sql else self.measure
                measures[measure_name(sql)] = f"coalesce({sql}, 0)::{MEASURES[measure]}"
        return measures

    def reads(self, column: str) -> bool:
        """Whether the counted rows or the numerator depend on a column of the mart."""
        texts = (self.population, self.numerator_filter, self.numerator)
        sql = " ".join(text for text in texts if text)
        return column in {name for _, name in _COLUMN_REFERENCE.findall(sql)}

    def supports(self, dimension: Dimension | None) -> bool:
        """Whether the metric may be split by the dimension; None stands for the class."""
        kind = dimension.of if dimension else "class"
        return kind in ALLOWED_DIMENSIONS[self.splits]


def measure_name(sql: str) -> str:
    """The cube column of an aggregate, from its text: a changed definition gets another column."""
    return "m_" + hashlib.sha256(sql.encode()).hexdigest()[:12]


def read(path: Path = DECLARATIONS) -> tuple[dict[str, Metric], dict[str, Dimension]]:
    """Read the metrics and the dimensions by id.

    Raises
    ------
    BadDeclaration
        With the path of the entry, for example `metric.balance.unit`.
    """
    sections = read_toml(path)
    file = path.name
    section_names = ("source", "split", "metric")
    if unknown := sorted(set(sections) - set(section_names)):
        raise BadDeclaration(
            "declaration_unknown_key", file=file, place=unknown[0], known=section_names
        )
    sources = _with_ids(sections["source"])
    convert_entries(sources, Source, file, "source")
    dimensions = convert_entries(_with_ids(sections["split"]), Dimension, file, "split")
    entries = _with_ids(sections["metric"])
    for id, entry in entries.items():
        if entry.get("source") in sources:
            entry["source"] = sources[entry["source"]]
        elif "source" in entry:
            problem = f"{entry['source']!r} is none of {', '.join(sources)}"
            place = f"metric.{id}.source"
            raise BadDeclaration("declaration_value", file=file, place=place, problem=problem)
    return convert_entries(entries, Metric, file, "metric"), dimensions


def _with_ids(section: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {id: {**entry, "id": id} for id, entry in section.items()}


def _require_languages(declared: Metric | Dimension, *fields: str) -> None:
    for field in fields:
        for language in LANGUAGES:
            if not getattr(declared, field).get(language):
                raise ValueError(f"{field} has no {language} text")


METRICS, DIMENSIONS = read()


def metric_named(id: str) -> Metric:
    """Raises UserError with the nearest name when there is no such metric."""
    if id not in METRICS:
        raise UserError("unknown_metric", id=id, suggestion=_suggestion(id, METRICS))
    return METRICS[id]


def dimension_named(id: str) -> Dimension:
    """Raises UserError with the nearest name when there is no such dimension."""
    if id not in DIMENSIONS:
        suggestion = _suggestion(id, DIMENSIONS)
        raise UserError("unknown_dimension", id=id, suggestion=suggestion, splits=DIMENSIONS)
    return DIMENSIONS[id]


def _suggestion(id: str, names: Mapping[str, object]) -> str:
    matches = get_close_matches(id, names, 1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
