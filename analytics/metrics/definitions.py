"""metrics.toml read into frozen dataclasses; a bad declaration is refused, naming the metric and the field."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from data.errors import UserError

UNITS = ("count", "money", "rate", "number", "days")
BETTER = ("lower", "higher", "neither")
MEASURES = {"money": "decimal(18, 2)", "count": "bigint"}
LANGUAGES = ("zh-CN", "en")
# Which kinds of split each kind of metric may honestly be split by; `class` is a kind of its own.
ALLOWED_DIMENSIONS = {
    "loan": ("row", "loan", "month_loan", "month", "customer", "class"),
    "customer": ("row", "month", "customer", "class"),
    "life": ("row", "loan", "life", "customer"),
}


class BadDeclaration(ValueError):
    """metrics.toml breaks its own rules."""


@dataclass(frozen=True)
class Source:
    """A mart: one row per `grain` and, unless `when` says otherwise, month end."""

    id: str
    grain: str
    when: str


@dataclass(frozen=True)
class Dimension:
    """A column by which metrics are split. `sql` is an expression over fact, branch, product, manager, customer."""

    id: str
    name: Mapping[str, str]
    sql: str
    of: str
    values: Mapping[str, Mapping[str, str]]

    @property
    def is_yes_no(self) -> bool:
        return set(self.values) == {"yes", "no"}


@dataclass(frozen=True)
class Metric:
    """One declared number. `value` = numerator ÷ denominator, or the numerator where there is no denominator.

    rows   SQL condition: who is counted in n
    hit    SQL condition: who of them stands in the numerator; None where the numerator is not a share of rows
    unit   of the value: rate (a share of one), money (CNY), count, number, days
    """

    id: str
    name: Mapping[str, str]
    meaning: Mapping[str, str]
    formula: Mapping[str, str]
    source: Source
    rows: str
    unit: str
    measure: str
    better: str
    splits: str
    owner: str
    hit: str | None = None
    weight: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    history: int = 1
    needs: tuple[str, ...] = ()
    retired: str | None = None

    @property
    def grain(self) -> str:
        return self.source.grain

    @cached_property
    def numerator_sql(self) -> str:
        if self.numerator:
            return self.numerator
        return f"{self._weighed} filter (where ({self.rows}) and ({self.hit}))"

    @cached_property
    def denominator_sql(self) -> str | None:
        if self.numerator:
            return self.denominator
        return f"{self._weighed} filter (where {self.rows})"

    @property
    def _weighed(self) -> str:
        # Written as n is, so that a cube keeps the two as one column.
        return "count(*)" if self.weight == "1" else f"sum({self.weight})"

    @cached_property
    def n_sql(self) -> str:
        if self.numerator and "distinct" in self.numerator:
            return self.numerator
        return f"count(*) filter (where {self.rows})"

    @property
    def is_additive(self) -> bool:
        return "distinct" not in self.numerator_sql

    @property
    def is_move(self) -> bool:
        """Whether it compares the class of the day with that of the opening: `{up}` and `{down}` stand in its SQL."""
        return "{" in self.rows

    @property
    def asks_warnings(self) -> bool:
        """Whether it counts signals, which stand in no mart: `warned` is joined."""
        return "warned." in f"{self.rows} {self.hit} {self.numerator}"

    @property
    def measures(self) -> dict[str, str]:
        """Column name in the cubes → aggregate: what the trend cubes keep of this metric."""
        if self.is_move or self.asks_warnings:
            return {}
        found = {measure_name(self.n_sql): f"{self.n_sql}::bigint"}
        for sql in (self.numerator_sql, self.denominator_sql):
            if sql:
                kept = "count" if "count(" in sql else self.measure
                found[measure_name(sql)] = f"coalesce({sql}, 0)::{MEASURES[kept]}"
        return found

    def supports(self, split: Dimension | None) -> bool:
        """Whether the metric may honestly be split by it; None stands for the class of a scheme."""
        return (split.of if split else "class") in ALLOWED_DIMENSIONS[self.splits]


def measure_name(sql: str) -> str:
    """The cube column of an aggregate, named by its text: a changed definition never reads an old column."""
    return "m_" + hashlib.sha256(sql.encode()).hexdigest()[:12]


DECLARATIONS = Path(__file__).with_name("metrics.toml")


def read(path: Path = DECLARATIONS) -> tuple[dict[str, Metric], dict[str, Dimension]]:
    """The declared metrics and splits by id. Raises BadDeclaration."""
    text = tomllib.loads(path.read_text(encoding="utf-8"))
    sources = {id: Source(id, **body) for id, body in text["source"].items()}
    splits = {id: _split(id, dict(body)) for id, body in text["split"].items()}
    metrics = {id: _metric(id, dict(body), sources) for id, body in text["metric"].items()}
    return metrics, splits


def _split(id: str, body: dict) -> Dimension:
    values = MappingProxyType(body.pop("values", {}))
    _need(f"split {id}", body, {"name", "sql", "of"})
    _both(f"split {id}", "name", body["name"])
    if body["of"] not in {of for kinds in ALLOWED_DIMENSIONS.values() for of in kinds}:
        raise BadDeclaration(f"split {id}: of = {body['of']!r} is none of the known kinds")
    return Dimension(id, values=values, **body)


def _metric(id: str, body: dict, sources: dict[str, Source]) -> Metric:
    where = f"metric {id}"
    known = {"hit", "weight", "numerator", "denominator", "history", "needs", "retired"}
    _need(
        where,
        body,
        {
            "name",
            "meaning",
            "formula",
            "source",
            "rows",
            "measure",
            "unit",
            "better",
            "splits",
            "owner",
        },
        known,
    )
    for field in ("name", "meaning", "formula"):
        _both(where, field, body[field])
    for field, allowed in (
        ("unit", UNITS),
        ("better", BETTER),
        ("measure", MEASURES),
        ("splits", ALLOWED_DIMENSIONS),
        ("source", sources),
    ):
        if body[field] not in allowed:
            raise BadDeclaration(
                f"{where}: {field} = {body[field]!r}; one of {', '.join(allowed)} is needed"
            )
    if bool(body.get("numerator")) == bool(body.get("weight")):
        raise BadDeclaration(f"{where}: either numerator, or hit and weight, is needed")
    if body.get("weight") and not body.get("hit"):
        raise BadDeclaration(f"{where}: weight without hit")
    body["needs"] = tuple(body.get("needs", ()))
    return Metric(id, **(body | {"source": sources[body["source"]]}))


def _need(where: str, body: dict, needed: set[str], known: set[str] = frozenset()) -> None:
    for field in sorted(needed - set(body)):
        raise BadDeclaration(f"{where}: no value for {field}")
    for field in sorted(set(body) - needed - known):
        raise BadDeclaration(f"{where}: unknown field {field}")


def _both(where: str, field: str, words: Mapping[str, str]) -> None:
    for language in LANGUAGES:
        if not words.get(language):
            raise BadDeclaration(f"{where}: {field} has no {language} text")


METRICS, DIMENSIONS = read()


def metric_named(id: str) -> Metric:
    """Raises UserError with the known metrics when there is none of that name."""
    if id not in METRICS:
        raise UserError("unknown_metric", id=id, suggestion=_near(id, METRICS))
    return METRICS[id]


def dimension_named(id: str) -> Dimension:
    """Raises UserError with the known splits when there is none of that name."""
    if id not in DIMENSIONS:
        raise UserError(
            "unknown_dimension", id=id, suggestion=_near(id, DIMENSIONS), splits=DIMENSIONS
        )
    return DIMENSIONS[id]


def _near(id: str, known: Mapping) -> str:
    from difflib import get_close_matches

    found = get_close_matches(id, known, 1)
    return f"; did you mean {found[0]!r}?" if found else ""


# What a row of loan_month tells of its borrower's row of the same month: BORROWER + the column of customer_month. Parts
# made before these were there lack BORROWER_TOLD: their rows are joined.
BORROWER = "borrower_"


BORROWER_TOLD = f"{BORROWER}told"


MIN_GROUP_SIZE = 30  # below this many the share says nothing: printed grey, with 样本不足
