"""One edition of one scheme: decides one customer and says why, and writes the SQL that decides all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from analytics.rulebooks.conditions import Column, Env, Group, Rule, missing_of
from analytics.rulebooks.facts import SCORE, Fact
from analytics.rulebooks.model import (
    UNRATED,
    UNRATED_NAMES,
    Calculation,
    Change,
    Check,
    Class,
    Decision,
    Downgrade,
    Example,
    Parameter,
    ScoreItem,
)


@dataclass(frozen=True)
class Rulebook:
    """One edition of a scheme. `classes` run best to worst, `look` is the order in which they are tried.

    `facts` are the names of the facts that the rules use; `digest` identifies the file's content,
    `text`.
    """

    id: str
    grain: str
    effective_on: date
    names: Mapping[str, str]
    document: Mapping[str, str]
    classes: tuple[Class, ...]
    look: tuple[str, ...]
    otherwise: str
    barred: str
    bars: tuple[Rule | Group, ...]
    downgrades: tuple[Downgrade, ...]
    score: tuple[ScoreItem, ...]
    parameters: Mapping[str, Parameter]
    examples: tuple[Example, ...]
    fact_index: Mapping[str, Fact]
    digest: str
    repealed_on: date | None = None
    approved_by: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    criteria: Mapping[str, Group] = field(default_factory=dict)
    calculations: tuple[Calculation, ...] = ()
    path: str = ""
    text: str = field(default="", repr=False)
    unrated: str = UNRATED

    @property
    def facts(self) -> tuple[str, ...]:
        """The names of the facts used, in the order of first use; the score of a scorecard is no fact but made of
        some.
        """
        return tuple(self.fact_index)

    @property
    def class_codes(self) -> tuple[str, ...]:
        """Every code that `classify` and `to_sql` can give, best to worst, the unrated one last."""
        return (*(c.code for c in self.classes), self.unrated)

    def class_names(self, code: str) -> Mapping[str, str]:
        """The names (zh, en) of a class code. Raises KeyError for an unknown one."""
        return UNRATED_NAMES if code == self.unrated else self.class_of(code).names

    def attribute(self, code: str, name: str, default: Any = None) -> Any:
        """A declared attribute of a class, such as its provision rate; `default` where the class has none."""
        return default if code == self.unrated else self.class_of(code).attributes.get(name, default)

    def classify(self, facts: Mapping[str, Any]) -> Decision:
        """Decides one customer or loan. `facts` maps names to values; a name that is absent or None is missing,
        others are ignored.

        Raises FactError for a value of the wrong type.
        """
        env = self.env(facts)
        code, missing = self._decide(env)
        boundary = {} if code == self.unrated else self._boundary(env, code)
        return Decision(
            code, self.class_names(code), tuple(self._trace(env)), tuple(missing), boundary, env.get("score")
        )

    def env(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The facts as the rules compare them, with the score of a scorecard where the rulebook has one."""
        env = {name: fact.normal(facts.get(name)) for name, fact in self.fact_index.items()}
        if self.score:
            env["score"] = self._score(env)
        return env

    def decide(self, env: Env) -> str:
        """The class code alone, for facts as `env` gives them."""
        return self._decide(env)[0]

    def to_sql(self, prefix: str | None = None, written: Callable[[str], str] = "'{}'".format) -> str:
        """One `case` expression that gives the class code for every row, as text or as `written` says in SQL.

        Columns are named like the facts, qualified by `prefix` where given (a table alias). Subset of SQL shared by
        DuckDB and Spark: no subquery, no function but nullif and cast. A row whose class depends on a null is
        `unrated`, exactly as in `classify`.
        """
        column = self.columns(prefix)
        lines = ["case"]
        if self._is_ladder:
            # the score is dear and every class asks for it: without it there is none
            lines.append(f"    when {column(SCORE)} is null then {written(self.unrated)}")
        if self.bars:
            lines += self._decided(Group("any", self.bars), [written(self.barred)], column, written)
        for code in self.look:
            lines += self._decided(self.class_of(code).rules, self._landing_sql(code, column, written), column, written)
        return "\n".join([*lines, "    else", *_indent(self._landing_sql(self.otherwise, column, written), 2), "end"])

    def columns(self, prefix: str | None = None) -> Column:
        """Where a fact stands in SQL: its column, qualified by `prefix`; the score of a scorecard is an expression.

        Raises ValueError for a prefix that is no alias.
        """
        plain = _qualified(prefix)
        score = f"({self._score_sql(plain)})" if self.score else ""
        return lambda fact: score if fact is SCORE else plain(fact)

    def missing(self, env: Env) -> list[str]:
        """The facts whose absence leaves facts as `env` gives them unrated; none where they are decided."""
        return self._decide(env)[1]

    def class_of(self, code: str) -> Class:
        """The class of a code. Raises KeyError for an unknown one."""
        for found in self.classes:
            if found.code == code:
                return found
        raise KeyError(code)

    def _decide(self, env: Env) -> tuple[str, list[str]]:
        if self.bars:
            bar = Group("any", self.bars)
            held = bar.held(env)
            if held:
                return self.barred, []
            if held is None:
                return self.unrated, missing_of(bar, env)
        for code in self.look:
            rules = self.class_of(code).rules
            held = rules.held(env)
            if held:
                return self._land(code, env)
            if held is None:
                return self.unrated, self._facts_behind(missing_of(rules, env), env)
        return self._land(self.otherwise, env)

    def _land(self, code: str, env: Env) -> tuple[str, list[str]]:
        for landing, condition in self.landings(code):
            held = condition.held(env)
            if held:
                return landing, []
            if held is None:
                return self.unrated, self._facts_behind(missing_of(condition, env), env)
        return code, []

    def landings(self, code: str) -> list[tuple[str, Group]]:
        """Where the downgrades can move `code`: (class, any of the downgrades that lead there), the worst class
        first.
        """
        order = [c.code for c in self.classes]
        found: dict[str, list[Rule | Group]] = {}
        for downgrade in self.downgrades:
            landing = self.landing(code, downgrade)
            if order.index(landing) > order.index(code):
                found.setdefault(landing, []).append(downgrade.when)
        return [
            (landing, Group("any", tuple(found[landing]))) for landing in sorted(found, key=order.index, reverse=True)
        ]

    def landing(self, code: str, downgrade: Downgrade) -> str:
        """The class in which a downgrade leaves `code`."""
        if downgrade.origins and code not in downgrade.origins:
            return code
        if downgrade.to:
            return downgrade.to
        ladder = [c.code for c in self.classes if not c.is_special]
        if code not in ladder:
            return code
        return ladder[min(ladder.index(code) + downgrade.by, len(ladder) - 1)]

    def _score(self, env: Env) -> int | None:
        total = 0
        for item in self.score:
            points = _points(item, env)
            if points is None:
                return None
            total += points
        return total

    def _facts_behind(self, names: list[str], env: Env) -> list[str]:
        if "score" not in names or not self.score:
            return names
        behind = [
            name
            for item in self.score
            if _points(item, env) is None
            for band, _ in item.bands
            for name in missing_of(band, env)
        ]
        return list(dict.fromkeys([*(name for name in names if name != "score"), *behind]))

    def _trace(self, env: Env) -> Iterator[Check]:
        for item in self.score:
            for band, points in item.bands:
                yield from _checks(band, "score", "", env, item.note.clause, points=points)
                if band.held(env) is not False:
                    break
        for bar in self.bars:
            yield from _checks(bar, "bar", self.barred, env, "", applied=True)
        if self.bars and Group("any", self.bars).held(env) is not False:
            return
        reached = next((code for code in self.look if self.class_of(code).rules.held(env) is not False), self.otherwise)
        for code in self.look:
            for member in self.class_of(code).rules.members:
                yield from _checks(member, "class", code, env, self.class_of(code).note.clause, applied=code == reached)
            if code == reached:
                break
        if reached in self.look and self.class_of(reached).rules.held(env) is None:
            return
        for downgrade in self.downgrades:
            landing = self.landing(reached, downgrade)
            if landing != reached:
                yield from _checks(downgrade.when, "downgrade", landing, env, downgrade.note.clause, applied=True)

    def _boundary(self, env: dict[str, Any], code: str) -> dict[str, Change]:
        order = {c.code: rank for rank, c in enumerate(self.classes)}
        nearest: dict[str, tuple[float, Change]] = {}
        for name, fact in self.fact_index.items():
            if env[name] is None:
                continue
            for candidate in self._candidates[name]:
                if candidate == env[name]:
                    continue
                changed = {**env, name: candidate}
                if self.score:
                    changed["score"] = self._score(changed)
                lands = self._decide(changed)[0]
                if lands in (code, self.unrated):
                    continue
                direction = "up" if order[lands] < order[code] else "down"
                cost = _distance(fact, env[name], candidate)
                if direction not in nearest or cost < nearest[direction][0]:
                    difference = candidate - env[name] if fact.is_numeric else None
                    if isinstance(difference, float):
                        difference = round(difference, 9)
                    nearest[direction] = (cost, Change(direction, fact, env[name], candidate, difference, lands))
        return {direction: change for direction, (_, change) in nearest.items()}

    @property
    def _candidates(self) -> dict[str, list[Any]]:
        if "_cached_candidates" not in self.__dict__:
            found: dict[str, dict[Any, None]] = {name: {} for name in self.fact_index}
            for rule in self.leaves():
                if rule.fact.name in found:
                    found[rule.fact.name].update(
                        dict.fromkeys(c for c in rule.candidates() if not rule.fact.is_numeric or c >= 0)
                    )
            self.__dict__["_cached_candidates"] = {name: list(values) for name, values in found.items()}
        return self.__dict__["_cached_candidates"]

    def leaves(self) -> Iterator[Rule]:
        """Every single-fact rule of the rulebook: score, bars, classes, downgrades."""
        for item in self.score:
            for band, _ in item.bands:
                yield from band.leaves()
        for bar in self.bars:
            yield from bar.leaves()
        for found in self.classes:
            if found.rules is not None:
                yield from found.rules.leaves()
        for downgrade in self.downgrades:
            yield from downgrade.when.leaves()

    # all customers
    @property
    def _is_ladder(self) -> bool:
        """Whether every class is given by the score alone."""
        rules = [rule for code in self.look for rule in self.class_of(code).rules.leaves()]
        return bool(self.score) and not self.bars and all(rule.fact is SCORE for rule in rules)

    def _decided(
        self, test: Rule | Group, outcome: list[str], column: Column, written: Callable[[str], str]
    ) -> list[str]:
        """The arm of a condition: what it gives, or unrated where it is undecided.

        DuckDB leaves a condition at the first member that decides, but only where it is asked for true, and asks the
        next arm of the rows left only: two conditions cost less than one with three answers.
        """
        if self._is_ladder and all(rule.fact is SCORE for rule in test.leaves()):
            return [f"    when {test.sql(column)} then", *_indent(outcome, 2)]
        return [
            f"    when {test.possible_sql(column)} then",
            f"        case when {test.sql(column)} then",
            *_indent(outcome, 3),
            f"        else {written(self.unrated)} end",
        ]

    def _landing_sql(self, code: str, column: Column, written: Callable[[str], str]) -> list[str]:
        landings = self.landings(code)
        if not landings:
            return [written(code)]
        lines = ["case"]
        for landing, condition in landings:
            lines += self._decided(condition, [written(landing)], column, written)
        return [*lines, f"    else {written(code)}", "end"]

    def _score_sql(self, column: Column) -> str:
        return " + ".join(_item_sql(item, column) for item in self.score)


def _qualified(prefix: str | None) -> Column:
    if prefix is not None and not prefix.isidentifier():
        raise ValueError(f"prefix {prefix!r} is no table alias")
    qualify = f"{prefix}." if prefix else ""
    return lambda fact: qualify + fact.name


def _item_sql(item: ScoreItem, column: Column) -> str:
    bands = [band for band, _ in item.bands]
    fact = bands[0].fact if isinstance(bands[0], Rule) else None
    if fact is not None and fact.type != "number" and all(isinstance(b, Rule) and b.fact is fact for b in bands):
        # bands of one fact are undecided together
        name = column(fact)
        missing = f"{name} is null" + (f" or {name} = '{fact.unknown}'" if fact.type == "code" else "")
        arms = [f"when {missing} then null", *(f"when {band.sql(column)} then {points}" for band, points in item.bands)]
    else:
        arms = [
            f"when {band.possible_sql(column)} then case when {band.sql(column)} then {points} end"
            for band, points in item.bands
        ]
    return f"case {' '.join(arms)} else {item.otherwise} end"


def _indent(lines: list[str], levels: int) -> list[str]:
    return ["    " * levels + line for line in lines]


def _points(item: ScoreItem, env: Env) -> int | None:
    for band, points in item.bands:
        held = band.held(env)
        if held:
            return points
        if held is None:
            return None
    return item.otherwise


def _checks(
    node: Rule | Group,
    stage: str,
    code: str,
    env: Env,
    clause: str,
    depth: int = 0,
    applied: bool = False,
    points: int | None = None,
) -> Iterator[Check]:
    clause = node.note.clause or clause
    fact = node.fact.name if isinstance(node, Rule) else ""
    held = node.held(env)
    applied = applied and held is True
    yield Check(stage, code, clause, node, fact, env.get(fact), held, depth, applied, points)
    if isinstance(node, Group):
        for member in node.members:
            yield from _checks(member, stage, code, env, clause, depth + 1, applied)


def _distance(fact: Fact, value: Any, candidate: Any) -> float:
    """How far apart two values of one fact are, comparable between facts: numbers relative to their size, codes by
    rank, else 1.
    """
    if fact.is_numeric:
        return float(abs(candidate - value)) / max(float(abs(candidate)), float(abs(value)), 1.0)
    if fact.ascending:
        return abs(fact.ascending.index(candidate) - fact.ascending.index(value)) / len(fact.ascending)
    return 1.0
