"""What a rulebook must prove of itself: every class can be reached, and its worked examples hold."""

from __future__ import annotations

from typing import Any

from analytics.rulebooks.book import Rulebook
from analytics.rulebooks.errors import RulebookError
from analytics.rulebooks.lines import Lines
from analytics.rulebooks.rules import Group, Rule


def check_reach(book: Rulebook, lines: Lines, need_examples: bool) -> None:
    """Refuses a class that nothing gives, that contradicts itself or that an earlier class always takes; and, with `need_examples`, a class,
    bar or downgrade that no worked example reaches."""
    landings = {landing for code in (*book.look, book.otherwise) for landing, _ in book.landings(code)}
    given = {*book.look, *landings, book.otherwise, *([book.barred] if book.bars else [])}
    for found in book.classes:
        if found.code not in given:
            _refuse(
                book,
                f"class {found.code} cannot be reached: it has no rules and nothing leads to it",
                f"类别 {found.code} 无法到达：没有规则，也没有条款降入",
                found.note.line,
                found.note.clause,
            )
    for rank, code in enumerate(book.look):
        found = next(c for c in book.classes if c.code == code)
        reach = _reach(found.rules)
        for name, values in reach.items():
            if not values:
                _refuse(
                    book,
                    f"class {code} cannot be reached: its rules on {name} contradict each other",
                    f"类别 {code} 无法到达：关于 {name} 的规则互相矛盾",
                    found.note.line,
                    found.note.clause,
                )
        for earlier in book.look[:rank]:
            if _takes_all(next(c for c in book.classes if c.code == earlier).rules, found.rules):
                _refuse(
                    book,
                    f"class {code} cannot be reached: whoever meets its rules is already in class {earlier}, which is looked at before",
                    f"类别 {code} 无法到达：满足其规则的客户都已先归入类别 {earlier}",
                    found.note.line,
                    found.note.clause,
                )
    if need_examples:
        _check_coverage(book)


def check_examples(book: Rulebook, lines: Lines) -> None:
    """Refuses an example whose class, clauses or missing facts are not what the rules give."""
    for example in book.examples:
        decision = book.classify(example.facts)
        case = example.case
        if decision.code != example.code:
            missing = ", ".join(decision.missing)
            _refuse(
                book,
                f"example {case['en']!r} says class {example.code}, the rules give {decision.code}"
                + (f" (missing: {missing})" if missing else ""),
                f"示例“{case['zh']}”写的是类别 {example.code}，按规则应为 {decision.code}"
                + (f"（缺少：{missing}）" if missing else ""),
                example.line,
                ", ".join(example.because),
            )
        for clause in example.because:
            if clause not in decision.clauses:
                told = ", ".join(decision.clauses) or "none"
                _refuse(
                    book,
                    f"example {case['en']!r} names clause {clause}, which did not decide; those that did: {told}",
                    f"示例“{case['zh']}”引用的条款 {clause} 没有起作用；起作用的是：{told}",
                    example.line,
                    clause,
                )
        if example.missing is not None and set(example.missing) != set(decision.missing):
            _refuse(
                book,
                f"example {case['en']!r} names missing facts {', '.join(example.missing)}, the rules miss {', '.join(decision.missing)}",
                f"示例“{case['zh']}”写缺少 {'、'.join(example.missing)}，实际缺少 {'、'.join(decision.missing)}",
                example.line,
            )


def _check_coverage(book: Rulebook) -> None:
    expected = {example.code for example in book.examples}
    for found in book.classes:
        if found.code not in expected:
            _refuse(
                book,
                f"class {found.code} has no example that ends in it: add one, or the class cannot be reached",
                f"类别 {found.code} 没有落入该类的示例：请补充；若写不出，说明该类无法到达",
                found.note.line,
                found.note.clause,
            )
    envs = [book.env(example.facts) for example in book.examples]
    for kind, kind_zh, nodes in (
        ("bar", "禁入条款", book.bars),
        ("downgrade", "降级条款", [d.when for d in book.downgrades]),
    ):
        for node in nodes:
            if not any(node.held(env) for env in envs):
                _refuse(
                    book,
                    f"no example meets this {kind}: add one",
                    f"没有示例触发该{kind_zh}：请补充",
                    node.note.line,
                    node.note.clause,
                )


def _reach(rules: Group) -> dict[str, set[Any]]:
    """Per fact, the representative values that all of the plain rules on it allow; only for `all`."""
    plain_rules = _plain(rules)
    reach: dict[str, set[Any]] = {}
    for rule in plain_rules:
        domain = _domain(rule.fact.name, plain_rules)
        allowed = {value for value in domain if rule.held({rule.fact.name: value})}
        reach[rule.fact.name] = reach.get(rule.fact.name, allowed) & allowed
    return reach


def _takes_all(earlier: Group, later: Group) -> bool:
    """True where it is sure that whoever meets `later` meets `earlier`: each member of an earlier `all` is implied by plain rules of `later`
    or stands there word for word."""
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
    left = {value for value in domain if all(rule.held({rule.fact.name: value}) for rule in mine)}
    return bool(left) and all(member.held({member.fact.name: value}) for value in left)


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


def _refuse(book: Rulebook, en: str, zh: str, line: int | None, clause: str = "") -> None:
    raise RulebookError(en, zh, book.path, line, clause)
