"""The parts of a rulebook and of a decision, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from analytics.rulebooks.conditions import NO_NOTE, ColumnSql, Env, Group, Note, Rule
from analytics.rulebooks.facts import Fact

UNRATED = "unrated"
UNRATED_NAMES = {"zh-CN": "信息不足", "en": "Unrated"}


@dataclass(frozen=True, slots=True)
class Class:
    """One class. `rules` is None for a class that only `otherwise`, a bar or a downgrade can give.

    `service` is what the bank does for the class; `attributes` are further declared values, such as
    a provision rate. `is_special` marks a class outside the ladder (not admitted, in no class):
    downgrades by steps never enter or leave it.
    """

    code: str
    names: Mapping[str, str]
    rules: Group | None = None
    service: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    is_special: bool = False
    note: Note = NO_NOTE


@dataclass(frozen=True, slots=True)
class Downgrade:
    """Moves a class down: `by` steps on the ladder or `to` a class at best; only from the classes
    in `origins` where given.
    """

    when: Rule | Group
    by: int = 0
    to: str = ""
    origins: tuple[str, ...] = ()
    note: Note = NO_NOTE


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One line of a scorecard: the points of the first band that holds, else `otherwise`."""

    name: Mapping[str, str]
    bands: tuple[tuple[Rule | Group, int], ...]
    otherwise: int = 0
    note: Note = NO_NOTE

    def points(self, env: Env) -> int | None:
        """Return the points for the facts of `env`; None where a missing fact leaves them open."""
        for band, points in self.bands:
            result = band.evaluate(env)
            if result:
                return points
            if result is None:
                return None
        return self.otherwise

    def sql(self, column: ColumnSql) -> str:
        """Return the SQL of the points; null where a missing fact leaves them open."""
        fact = self._only_fact
        if fact is None or fact.type == "number":
            arms = [
                f"when {band.not_false_sql(column)} then "
                f"case when {band.sql(column)} then {points} end"
                for band, points in self.bands
            ]
        else:
            # All bands test one fact: where it is missing, none of them is decided.
            name = column(fact)
            is_unknown = f" or {name} = '{fact.unknown}'" if fact.type == "code" else ""
            arms = [f"when {name} is null{is_unknown} then null"]
            arms += [f"when {band.sql(column)} then {points}" for band, points in self.bands]
        return f"case {' '.join(arms)} else {self.otherwise} end"

    @property
    def _only_fact(self) -> Fact | None:
        """The fact that every band tests by one rule; None where they test several."""
        rules = [band for band, _ in self.bands if isinstance(band, Rule)]
        if len(rules) < len(self.bands):
            return None
        fact = rules[0].fact
        return fact if all(rule.fact is fact for rule in rules) else None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared number that arithmetic outside the ladder uses, such as the highest age at the end
    of a loan.
    """

    name: str
    value: Any
    names: Mapping[str, str]
    note: Note = NO_NOTE


@dataclass(frozen=True, slots=True)
class Example:
    """A worked case: these facts give this class, because of these clauses. `own` names the facts
    in which it departs from its `person`, who stands behind several cases; all of them where there
    is none.
    """

    case: Mapping[str, str]
    facts: Mapping[str, Any]
    code: str
    because: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None
    line: int | None = None
    person: str = ""
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calculation:
    """A worked case of the arithmetic that uses the parameters: what `asks` works out of `given` is
    `gives`.
    """

    case: Mapping[str, str]
    asks: str
    given: Mapping[str, Any]
    gives: int | Decimal
    clause: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One line of a trace: a rule or group, evaluated for one customer or loan.

    `stage` is bar, class, downgrade or score; `code` the class that the rule belongs to (or the
    target of a downgrade). `value` is None where the fact is missing; `outcome` is True, False or
    None (undecided). `depth` > 0 lies inside an all / any. `applied` is true where the rule
    contributed to the class: it is true, and so is every all / any around it, in the exclusion,
    class or downgrade that decided. `points` are those of a scorecard's band.
    """

    stage: str
    code: str
    clause: str
    rule: Rule | Group
    fact: str
    value: Any
    outcome: bool | None
    depth: int = 0
    applied: bool = False
    points: int | None = None

    @property
    def text(self) -> str:
        """The rule as written in the file."""
        return self.rule.text

    def words(self, lang: str) -> str:
        """The rule as an officer reads it."""
        return self.rule.words(lang)


@dataclass(frozen=True, slots=True)
class NearestChange:
    """The smallest change of one fact that gives a better or a worse class.

    With `fact` at `target_value` instead of `value` the class would be `code`.

    `difference` is target_value - value in the fact's unit, None for codes and booleans.
    """

    direction: str
    fact: Fact
    value: Any
    target_value: Any
    difference: Any
    code: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The class of one customer or loan, and why.

    `missing` names the facts whose absence leaves it unrated.
    """

    code: str
    names: Mapping[str, str]
    trace: tuple[TraceStep, ...]
    missing: tuple[str, ...]
    nearest_changes: Mapping[str, NearestChange]
    score: int | None = None

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses applied: of the exclusion, the class, the downgrades; () where unrated."""
        if self.code == UNRATED:
            return ()
        return tuple(
            dict.fromkeys(step.clause for step in self.trace if step.applied and step.clause)
        )
