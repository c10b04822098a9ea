"""One edition of a scheme: classifies one customer with reasons, and writes SQL for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from analytics.rulebooks.conditions import ColumnSql, Env, Group, Rule, missing_of
from analytics.rulebooks.facts import SCORE, Fact
from analytics.rulebooks.model import (
    UNRATED,
    UNRATED_NAMES,
    Calculation,
    Class,
    Decision,
    Downgrade,
    Example,
    NearestChange,
    Parameter,
    ScoreItem,
    TraceStep,
)
from analytics.rulebooks.nearest_change import nearest_changes


@dataclass(frozen=True)
class Rulebook:
    """One edition of a scheme.

    `classes` run from best to worst; `evaluation_order` is the order in which their rules are
    tried. `exclusions` are tried first and give `exclusion_class`. `digest` identifies the content
    of the file, `text`.
    """

    id: str
    grain: str
    effective_on: date
    names: Mapping[str, str]
    document: Mapping[str, str]
    classes: tuple[Class, ...]
    evaluation_order: tuple[str, ...]
    otherwise: str
    exclusion_class: str
    exclusions: tuple[Rule | Group, ...]
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
        """The names of the facts that the rules use, in order of first use, without the score."""
        return tuple(self.fact_index)

    @property
    def class_codes(self) -> tuple[str, ...]:
        """Every code that `classify` and `to_sql` can give, best to worst, the unrated one last."""
        return (*(c.code for c in self.classes), self.unrated)

    def class_names(self, code: str) -> Mapping[str, str]:
        """The names by language of a class code. Raises KeyError for an unknown one."""
        return UNRATED_NAMES if code == self.unrated else self.class_of(code).names

    def attribute(self, code: str, name: str, default: Any = None) -> Any:
        """A declared attribute of a class, such as its provision rate; `default` where the class
        has none.
        """
        return (
            default if code == self.unrated else self.class_of(code).attributes.get(name, default)
        )

    def classify(self, facts: Mapping[str, Any]) -> Decision:
        """Classify one customer or loan.

        `facts` maps names to values: a name that is absent or None is missing, unknown names are
        ignored. Raises FactError for a value of the wrong type.
        """
        env = self.env(facts)
        code, missing = self._decide(env)
        changes = {} if code == self.unrated else self._nearest_changes(env, code)
        return Decision(
            code,
            self.class_names(code),
            tuple(self._trace(env)),
            tuple(missing),
            changes,
            env.get("score"),
        )

    def env(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the facts as the rules compare them, with the score where the rulebook has one."""
        env = {name: fact.normal(facts.get(name)) for name, fact in self.fact_index.items()}
        if self.score:
            env["score"] = self._score(env)
        return env

    def decide(self, env: Env) -> str:
        """Return the class code alone, for facts as `env` returns them."""
        return self._decide(env)[0]

    def to_sql(
        self, prefix: str | None = None, written: Callable[[str], str] = "'{}'".format
    ) -> str:
        """Return one `case` expression with the class code of every row.

        `written` formats a code as an SQL literal.

        Columns are named like the facts, qualified by `prefix` where given (a table alias). Subset
        of SQL shared by DuckDB and Spark: no subquery, no function but nullif and cast. A row whose
        class depends on a null is `unrated`, exactly as in `classify`.
        """
        column = self.columns(prefix)
        lines = ["case"]
        if self._is_ladder:
            # The score is expensive and every class asks for it; without it there is no class.
            lines.append(f"    when {column(SCORE)} is null then {written(self.unrated)}")
        if self.exclusions:
            lines += self._decided(
                Group("any", self.exclusions), [written(self.exclusion_class)], column, written
            )
        for code in self.evaluation_order:
            lines += self._decided(
                self.rules_of(code), self._target_sql(code, column, written), column, written
            )
        return "\n".join(
            [
                *lines,
                "    else",
                *_indent(self._target_sql(self.otherwise, column, written), 2),
                "end",
            ]
        )

    def columns(self, prefix: str | None = None) -> ColumnSql:
        """Return the SQL of a fact: its column, qualified by `prefix`; the score is an expression.

        Raises ValueError for a prefix that is not an identifier.
        """
        plain = _qualified(prefix)
        score = f"({self._score_sql(plain)})" if self.score else ""
        return lambda fact: score if fact is SCORE else plain(fact)

    def missing(self, env: Env) -> list[str]:
        """Return the missing facts that leave the class undecided; [] where it is decided."""
        return self._decide(env)[1]

    def class_of(self, code: str) -> Class:
        """Return the class of a code. Raises KeyError for an unknown one."""
        for class_ in self.classes:
            if class_.code == code:
                return class_
        raise KeyError(code)

    def rules_of(self, code: str) -> Group:
        """Return the rules of a class that has some. Raises KeyError for another code."""
        rules = self.class_of(code).rules
        if rules is None:
            raise KeyError(code)
        return rules

    def _decide(self, env: Env) -> tuple[str, list[str]]:
        if self.exclusions:
            exclusion = Group("any", self.exclusions)
            result = exclusion.evaluate(env)
            if result:
                return self.exclusion_class, []
            if result is None:
                return self.unrated, missing_of(exclusion, env)
        for code in self.evaluation_order:
            rules = self.rules_of(code)
            result = rules.evaluate(env)
            if result:
                return self._land(code, env)
            if result is None:
                return self.unrated, self._facts_behind(missing_of(rules, env), env)
        return self._land(self.otherwise, env)

    def _land(self, code: str, env: Env) -> tuple[str, list[str]]:
        for target, condition in self.target_classes(code):
            result = condition.evaluate(env)
            if result:
                return target, []
            if result is None:
                return self.unrated, self._facts_behind(missing_of(condition, env), env)
        return code, []

    def target_classes(self, code: str) -> list[tuple[str, Group]]:
        """Return the classes to which downgrades can move `code`, the worst first.

        Each comes with the condition that any of the downgrades that lead to it holds.
        """
        order = [c.code for c in self.classes]
        downgrades: dict[str, list[Rule | Group]] = {}
        for downgrade in self.downgrades:
            target = self.target_class(code, downgrade)
            if order.index(target) > order.index(code):
                downgrades.setdefault(target, []).append(downgrade.when)
        return [
            (target, Group("any", tuple(downgrades[target])))
            for target in sorted(downgrades, key=order.index, reverse=True)
        ]

    def target_class(self, code: str, downgrade: Downgrade) -> str:
        """Return the class to which a downgrade moves `code`; `code` itself where it does not
        apply.
        """
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
            points = item.points(env)
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
            if item.points(env) is None
            for band, _ in item.bands
            for name in missing_of(band, env)
        ]
        return list(dict.fromkeys([*(name for name in names if name != "score"), *behind]))

    def _trace(self, env: Env) -> Iterator[TraceStep]:
        for item in self.score:
            for band, points in item.bands:
                yield from _trace_steps(band, "score", "", env, item.note.clause, points=points)
                if band.evaluate(env) is not False:
                    break
        for exclusion in self.exclusions:
            yield from _trace_steps(exclusion, "bar", self.exclusion_class, env, "", applied=True)
        if self.exclusions and Group("any", self.exclusions).evaluate(env) is not False:
            return
        order = self.evaluation_order
        reached = next(
            (code for code in order if self.rules_of(code).evaluate(env) is not False),
            self.otherwise,
        )
        for code in self.evaluation_order:
            for member in self.rules_of(code).members:
                yield from _trace_steps(
                    member,
                    "class",
                    code,
                    env,
                    self.class_of(code).note.clause,
                    applied=code == reached,
                )
            if code == reached:
                break
        if reached in self.evaluation_order and self.rules_of(reached).evaluate(env) is None:
            return
        for downgrade in self.downgrades:
            target = self.target_class(reached, downgrade)
            if target != reached:
                yield from _trace_steps(
                    downgrade.when, "downgrade", target, env, downgrade.note.clause, applied=True
                )

    def _nearest_changes(self, env: Env, code: str) -> dict[str, NearestChange]:
        def decide(changed: Env) -> str:
            if self.score:
                changed = {**changed, "score": self._score(changed)}
            return self.decide(changed)

        ranks = {class_.code: rank for rank, class_ in enumerate(self.classes)}
        return nearest_changes(env, code, self.fact_index, self._candidates, decide, ranks)

    @property
    def _candidates(self) -> dict[str, list[Any]]:
        if "_cached_candidates" not in self.__dict__:
            candidates: dict[str, dict[Any, None]] = {name: {} for name in self.fact_index}
            for rule in self.leaves():
                if rule.fact.name in candidates:
                    candidates[rule.fact.name].update(
                        dict.fromkeys(
                            c for c in rule.candidates() if not rule.fact.is_numeric or c >= 0
                        )
                    )
            self.__dict__["_cached_candidates"] = {
                name: list(values) for name, values in candidates.items()
            }
        return self.__dict__["_cached_candidates"]

    def leaves(self) -> Iterator[Rule]:
        """Yield every single-fact rule: of the score, exclusions, classes, downgrades."""
        for item in self.score:
            for band, _ in item.bands:
                yield from band.leaves()
        for exclusion in self.exclusions:
            yield from exclusion.leaves()
        for class_ in self.classes:
            if class_.rules is not None:
                yield from class_.rules.leaves()
        for downgrade in self.downgrades:
            yield from downgrade.when.leaves()

    # all customers
    @property
    def _is_ladder(self) -> bool:
        """Whether the score alone determines every class."""
        rules = [rule for code in self.evaluation_order for rule in self.rules_of(code).leaves()]
        return (
            bool(self.score) and not self.exclusions and all(rule.fact is SCORE for rule in rules)
        )

    def _decided(
        self,
        test: Rule | Group,
        outcome: list[str],
        column: ColumnSql,
        written: Callable[[str], str],
    ) -> list[str]:
        """Return the `when` arm of a condition: its outcome, or unrated where it is undecided.

        DuckDB stops at the first member that decides a condition only where it tests for true, and
        evaluates the next arm only for the remaining rows: two conditions with two results cost
        less than one with three.
        """
        if self._is_ladder and all(rule.fact is SCORE for rule in test.leaves()):
            return [f"    when {test.sql(column)} then", *_indent(outcome, 2)]
        return [
            f"    when {test.not_false_sql(column)} then",
            f"        case when {test.sql(column)} then",
            *_indent(outcome, 3),
            f"        else {written(self.unrated)} end",
        ]

    def _target_sql(self, code: str, column: ColumnSql, written: Callable[[str], str]) -> list[str]:
        targets = self.target_classes(code)
        if not targets:
            return [written(code)]
        lines = ["case"]
        for target, condition in targets:
            lines += self._decided(condition, [written(target)], column, written)
        return [*lines, f"    else {written(code)}", "end"]

    def _score_sql(self, column: ColumnSql) -> str:
        return " + ".join(item.sql(column) for item in self.score)


def _qualified(prefix: str | None) -> ColumnSql:
    if prefix is not None and not prefix.isidentifier():
        raise ValueError(f"prefix {prefix!r} is no table alias")
    qualify = f"{prefix}." if prefix else ""
    return lambda fact: qualify + fact.name


def _indent(lines: list[str], levels: int) -> list[str]:
    return ["    " * levels + line for line in lines]


def _trace_steps(
    node: Rule | Group,
    stage: str,
    code: str,
    env: Env,
    clause: str,
    depth: int = 0,
    applied: bool = False,
    points: int | None = None,
) -> Iterator[TraceStep]:
    clause = node.note.clause or clause
    fact = node.fact.name if isinstance(node, Rule) else ""
    result = node.evaluate(env)
    applied = applied and result is True
    yield TraceStep(stage, code, clause, node, fact, env.get(fact), result, depth, applied, points)
    if isinstance(node, Group):
        for member in node.members:
            yield from _trace_steps(member, stage, code, env, clause, depth + 1, applied)
