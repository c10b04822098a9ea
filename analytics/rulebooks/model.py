"""The parts of a rulebook and of a decision: plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from analytics.rulebooks.conditions import NO_NOTE, Group, Note, Rule
from analytics.rulebooks.facts import Fact

UNRATED = "unrated"
UNRATED_NAMES = {"zh": "信息不足", "en": "Unrated"}


@dataclass(frozen=True, slots=True)
class Class:
    """One class. `rules` is None for a class that only `otherwise`, a bar or a downgrade can give.

    `service` is what the bank does for the class; `attributes` are further declared values, such as a provision
    rate. `is_special` marks a class outside the ladder (not admitted, in no class): downgrades by steps never enter
    or leave it.
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
    """Moves a class down: `by` steps on the ladder or `to` a class at best; only from the classes in `origins` where
    given.
    """

    when: Rule | Group
    by: int = 0
    to: str = ""
    origins: tuple[str, ...] = ()
    note: Note = NO_NOTE


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One line of a scorecard: the first band that holds gives its points, none gives `otherwise`."""

    name: Mapping[str, str]
    bands: tuple[tuple[Rule | Group, int], ...]
    otherwise: int = 0
    note: Note = NO_NOTE


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared number that arithmetic outside the ladder uses, such as the highest age at the end of a loan."""

    name: str
    value: Any
    names: Mapping[str, str]
    note: Note = NO_NOTE


@dataclass(frozen=True, slots=True)
class Example:
    """A worked case: these facts give this class, because of these clauses. `own` names the facts in which it departs
    from its `person`, who stands behind several cases; all of them where there is none.
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
    """A worked case of the arithmetic that uses the parameters: what `asks` works out of `given` is `gives`."""

    case: Mapping[str, str]
    asks: str
    given: Mapping[str, Any]
    gives: int | Decimal
    clause: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a trace. `stage` is bar, class, downgrade or score; `code` the class asked about (or landed on by
    a downgrade).

    `value` is the customer's value, None where missing; `held` is True, False or None (undecided). `depth` > 0 lies
    inside an all / any. `applied` is true where the check helped to give the class: it held and so did the all / any
    around it, in the bar, class or downgrade that decided. `points` are the points of a scorecard's band.
    """

    stage: str
    code: str
    clause: str
    rule: Rule | Group
    fact: str
    value: Any
    held: bool | None
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
class Change:
    """The nearest boundary in one direction: were `fact` at `needed` instead of `value`, the class would be `code`.

    `difference` is needed - value in the fact's unit, None for codes and booleans.
    """

    direction: str
    fact: Fact
    value: Any
    needed: Any
    difference: Any
    code: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rulebook says of one customer or loan, and why. `missing` names the facts whose absence leaves it
    unrated.
    """

    code: str
    names: Mapping[str, str]
    checks: tuple[Check, ...]
    missing: tuple[str, ...]
    boundary: Mapping[str, Change]
    score: int | None = None

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses that held on the way to the class: of the bar, the class's rules, the downgrades applied; none
        where it is unrated.
        """
        if self.code == UNRATED:
            return ()
        return tuple(dict.fromkeys(check.clause for check in self.checks if check.applied and check.clause))
