"""Checks of a rulebook: every class can be reached, and the worked examples are right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NoReturn

from analytics.rulebooks.conditions import Group, Rule
from analytics.rulebooks.errors import RulebookError
from analytics.rulebooks.home_loan import CALCULATIONS
from analytics.rulebooks.rulebook import Rulebook
from analytics.rulebooks.syntax.source_lines import SourceLines


def check_reach(book: Rulebook, lines: SourceLines, need_examples: bool) -> None:
    """Refuses a class that nothing gives, that contradicts itself or that an earlier class always
    takes; and, with `need_examples`, a class, bar or downgrade that no worked example reaches.
    """
    landings = {
        landing
        for code in (*book.evaluation_order, book.otherwise)
        for landing, _ in book.target_classes(code)
    }
    inputs = {
        *book.evaluation_order,
        *landings,
        book.otherwise,
        *([book.exclusion_class] if book.exclusions else []),
    }
    for class_ in book.classes:
        if class_.code not in inputs:
            _refuse(book, "class_unreached", class_.note.line, class_.note.clause, code=class_.code)
    for rank, code in enumerate(book.evaluation_order):
        class_ = book.class_of(code)
        rules = book.rules_of(code)
        reach = _reach(rules)
        for name, values in reach.items():
            if not values:
                _refuse(
                    book,
                    "class_contradicts",
                    class_.note.line,
                    class_.note.clause,
                    code=code,
                    name=name,
                )
        for earlier in book.evaluation_order[:rank]:
            if _takes_all(book.rules_of(earlier), rules):
                _refuse(
                    book,
                    "class_shadowed",
                    class_.note.line,
                    class_.note.clause,
                    code=code,
                    earlier=earlier,
                )
    if need_examples:
        _check_coverage(book)


def check_examples(book: Rulebook, lines: SourceLines) -> None:
    """Refuses an example whose class, clauses or missing facts are not what the rules give."""
    for example in book.examples:
        decision = book.classify(example.facts)
        case = example.case
        if decision.code != example.code:
            missing = decision.missing
            why = (
                {
                    "zh-CN": f"（缺少：{'、'.join(missing)}）",
                    "en": f" (missing: {', '.join(missing)})",
                }
                if missing
                else ""
            )
            _refuse(
                book,
                "example_fails",
                example.line,
                ", ".join(example.because),
                case=case,
                code=example.code,
                given=decision.code,
                why=why,
            )
        for clause in example.because:
            if clause not in decision.clauses:
                clauses = decision.clauses
                _refuse(book, "example_clause", example.line, clause, case=case, told=clauses)
        if example.missing is not None and set(example.missing) != set(decision.missing):
            _refuse(
                book,
                "example_missing",
                example.line,
                case=case,
                named=example.missing,
                missing=decision.missing,
            )


def check_calculations(book: Rulebook) -> None:
    """Refuses a worked case of the arithmetic that the parameters do not give."""
    for calculation in book.calculations:
        function = CALCULATIONS.get(calculation.asks)
        if function is None:
            _refuse(
                book,
                "calculation_unknown",
                calculation.line,
                calculation.clause,
                asks=calculation.asks,
                known=sorted(CALCULATIONS),
            )
        try:
            result = function(book, **calculation.given)
            if isinstance(calculation.gives, Decimal) and result is not None:
                result = Decimal(result).quantize(calculation.gives)
        except (TypeError, ValueError, ArithmeticError, KeyError) as error:
            raise RulebookError(
                "calculation_given",
                book.path,
                calculation.line,
                calculation.clause,
                case=calculation.case,
            ) from error
        if result != calculation.gives:
            _refuse(
                book,
                "calculation_fails",
                calculation.line,
                calculation.clause,
                case=calculation.case,
                gives=calculation.gives,
                result=result,
            )


def _check_coverage(book: Rulebook) -> None:
    expected = {example.code for example in book.examples}
    for class_ in book.classes:
        if class_.code not in expected:
            _refuse(
                book, "class_no_example", class_.note.line, class_.note.clause, code=class_.code
            )
    envs = [book.env(example.facts) for example in book.examples]
    for kind_words, nodes in (
        ({"zh-CN": "禁入条款", "en": "bar"}, book.exclusions),
        ({"zh-CN": "降级条款", "en": "downgrade"}, [d.when for d in book.downgrades]),
    ):
        for node in nodes:
            if not any(node.evaluate(env) for env in envs):
                _refuse(book, "node_no_example", node.note.line, node.note.clause, kind=kind_words)


def _reach(rules: Group) -> dict[str, set[Any]]:
    """Return by fact the representative values that all plain rules on it allow (`all` only)."""
    plain_rules = _plain(rules)
    reach: dict[str, set[Any]] = {}
    for rule in plain_rules:
        domain = _domain(rule.fact.name, plain_rules)
        allowed = {value for value in domain if rule.evaluate({rule.fact.name: value})}
        reach[rule.fact.name] = reach.get(rule.fact.name, allowed) & allowed
    return reach


def _takes_all(earlier: Group, later: Group) -> bool:
    """True where it is sure that whoever meets `later` meets `earlier`: each member of an earlier
    `all` is implied by plain rules of `later` or stands there word for word.
    """
    if earlier.kind == "any":
        return any(_implied(member, later) for member in earlier.members)
    return all(_implied(member, later) for member in earlier.members)


def _implied(member: Rule | Group, later: Group) -> bool:
    if later.kind == "any" and len(later.members) > 1:
        return False
    if any(_same(member, other) for other in later.members):
        return True
    if not isinstance(member, Rule):
        return False
    both = [*_plain(later), member]
    mine = [rule for rule in _plain(later) if rule.fact.name == member.fact.name]
    if not mine:
        return False
    domain = _domain(member.fact.name, both)
    left = {
        value for value in domain if all(rule.evaluate({rule.fact.name: value}) for rule in mine)
    }
    return bool(left) and all(member.evaluate({member.fact.name: value}) for value in left)


def _same(one: Rule | Group, other: Rule | Group) -> bool:
    if isinstance(one, Rule) or isinstance(other, Rule):
        return isinstance(one, Rule) and isinstance(other, Rule) and one.text == other.text
    return (
        one.kind == other.kind
        and len(one.members) == len(other.members)
        and all(map(_same, one.members, other.members))
    )


def _plain(rules: Group) -> list[Rule]:
    if rules.kind == "any" and len(rules.members) > 1:
        return []
    return [member for member in rules.members if isinstance(member, Rule)]


def _domain(name: str, rules: list[Rule]) -> set[Any]:
    """Values of one fact that stand for all others: at and beside every threshold."""
    return {value for rule in rules if rule.fact.name == name for value in rule.candidates()}


def _refuse(
    book: Rulebook, key: str, line: int | None, clause: str = "", /, **fields: Any
) -> NoReturn:
    raise RulebookError(key, book.path, line, clause, **fields)
