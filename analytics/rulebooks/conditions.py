"""Rules and groups of rules, evaluated for one customer in Python and for all customers in SQL.

A rule compares one fact with literals; a group is `all` or `any` of its members. Python and SQL use
the same three-valued logic (Kleene): a rule on a missing fact is undecided (None / null); `all` is
false as soon as one member is false, `any` is true as soon as one member is true, whatever else is
missing. Each condition has two SQL forms: true for certain (`sql`) and not false (`not_false_sql`);
rows between the two are undecided. No rule negates a group, so each form of a group is built from
the same form of its members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from analytics.rulebooks.facts import SCORE, Fact, Names

Env = Mapping[str, Any]
ColumnSql = Callable[[Fact], str]

# DuckDB makes a join of a longer `in` list, which costs more than twice as much as asking for each
# code
_LONGEST_IN_LIST = 4
SIGN_WORDS = {
    "zh-CN": {
        "=": "为",
        "!=": "不为",
        "<": "小于",
        "<=": "不超过",
        ">": "大于",
        ">=": "不低于",
        "in": "属于",
        "not in": "不属于",
    },
    "en": {
        "=": "is",
        "!=": "is not",
        "<": "below",
        "<=": "at most",
        ">": "above",
        ">=": "at least",
        "in": "one of",
        "not in": "none of",
    },
}


@dataclass(frozen=True, slots=True)
class Note:
    """What stands beside a rule: its clause, words in both languages, whether the threshold is
    ours, and its line in the file.
    """

    clause: str = ""
    words: Names = field(default_factory=dict, hash=False)
    is_ours: bool = False
    line: int | None = None


NO_NOTE = Note()


@dataclass(frozen=True, slots=True)
class Rule:
    """`fact sign literals`. `allowed` holds the codes that satisfy it where the fact is a code."""

    fact: Fact
    sign: str
    literals: tuple[Any, ...]
    text: str
    note: Note = NO_NOTE
    allowed: frozenset[str] = frozenset()

    def evaluate(self, env: Env) -> bool | None:
        """True or False; None where the fact is missing. `env` holds values as `Fact.normal` gives
        them.
        """
        value = env.get(self.fact.name)
        if value is None:
            return None
        if self.fact.type == "code":
            return value in self.allowed
        first = self.literals[0]
        match self.sign:
            case "=":
                return value == first
            case "!=":
                return value != first
            case "<":
                return value < first
            case "<=":
                return value <= first
            case ">":
                return value > first
            case ">=":
                return value >= first
            case "between":
                return first <= value <= self.literals[1]
            case "in":
                return value in self.literals
        return value not in self.literals

    def sql(self, column: ColumnSql) -> str:
        """The rule as an SQL condition: true where it is held; false or null where it is broken or
        the fact is missing.

        `column` maps a fact to its column.
        """
        name = column(self.fact)
        if self.fact.type == "bool":
            return name if self._asks_yes else f"not {name}"
        if self.fact.type == "code":
            # the code that stands for "not known" is no value
            allowed, rest = self._codes()
            few = len(allowed) <= len(rest)
            return (
                _in_list_sql(name, allowed)
                if few
                else _in_list_sql(name, [*rest, self.fact.unknown], "not")
            )
        return self._sql_number(name)

    def not_false_sql(self, column: ColumnSql) -> str:
        """The rule as an SQL condition that is true unless it is broken: held, or the fact is
        missing.
        """
        name = column(self.fact)
        if self.fact.type == "bool":
            return f"{name} is not {'false' if self._asks_yes else 'true'}"
        if self.fact.type == "code":
            allowed, rest = self._codes()
            few = len(allowed) < len(rest)
            if not rest:
                return "true"
            test = (
                _in_list_sql(name, [*allowed, self.fact.unknown])
                if few
                else _in_list_sql(name, rest, "not")
            )
            return f"({test} or {name} is null)"
        if self.fact.type == "number" or self.fact is SCORE:
            # what is dear to work out is not asked for twice
            return f"({self._sql_number(name)}) is not false"
        return f"({self._sql_number(name)} or {name} is null)"

    @property
    def _asks_yes(self) -> bool:
        return self.literals[0] == (self.sign == "=")

    def _codes(self) -> tuple[list[str], list[str]]:
        """The codes that satisfy the rule and those that do not, as declared."""
        allowed = [code for code in self.fact.values if code in self.allowed]
        return allowed, [code for code in self.fact.values if code not in self.allowed]

    def _sql_number(self, name: str) -> str:
        literals = [_sql_number(self.fact, literal) for literal in self.literals]
        if self.fact.type == "number":
            name = f"nullif({name}, cast('nan' as double))"
        if self.sign == "between":
            return f"({name} between {literals[0]} and {literals[1]})"
        if self.sign in ("in", "not in"):
            return f"{name} {self.sign} ({', '.join(literals)})"
        return f"{name} {'<>' if self.sign == '!=' else self.sign} {literals[0]}"

    def words(self, lang: str) -> str:
        """The rule as an officer reads it, in `lang`."""
        if text := self.note.words.get(lang):
            return text
        name, unit = self.fact.words(lang), self.fact.unit(lang)
        if self.fact.type == "bool":
            yes = self.literals[0] == (self.sign == "=")
            return (
                f"{name}：{'是' if yes else '否'}"
                if lang == "zh-CN"
                else f"{name}: {'yes' if yes else 'no'}"
            )
        unit = f" {unit}" if unit else ""
        if self.sign == "between":
            low, high = (self.fact.value_words(literal, lang) for literal in self.literals)
            return f"{name} {low}–{high}{unit}" + ("（含）" if lang == "zh-CN" else " inclusive")
        words = [self.fact.value_words(literal, lang) for literal in self.literals]
        sign = SIGN_WORDS[lang][self.sign]
        if lang == "zh-CN":
            return f"{name}{sign}{' ' if self.fact.is_numeric else ''}{'、'.join(words)}{unit}"
        return f"{name} {sign} {', '.join(words)}{unit}"

    def leaves(self) -> Iterator[Rule]:
        """The rule itself."""
        yield self

    def candidates(self) -> Iterator[Any]:
        """Values of the fact at and just beside every threshold of the rule; every code, both
        booleans.
        """
        if self.fact.type == "bool":
            yield from (True, False)
        elif self.fact.type == "code":
            yield from self.fact.values
        else:
            step = float(self.fact.step) if self.fact.type == "number" else self.fact.step
            for literal in self.literals:
                for value in (literal - step, literal, literal + step):
                    if self.fact.type == "number":
                        yield round(value, 9)
                    else:
                        yield int(value) if self.fact.type == "int" else value


@dataclass(frozen=True, slots=True)
class Group:
    """`all` or `any` of its members (rules or groups); an empty `all` holds."""

    kind: str
    members: tuple[Rule | Group, ...]
    note: Note = NO_NOTE
    name: str = ""
    text: str = field(default="")

    def evaluate(self, env: Env) -> bool | None:
        """True, False or None (undecided because a fact is missing) after Kleene."""
        decisive = self.kind == "any"
        undecided = False
        for member in self.members:
            result = member.evaluate(env)
            if result is decisive:
                return decisive
            undecided = undecided or result is None
        return None if undecided else not decisive

    def sql(self, column: ColumnSql) -> str:
        """The group as an SQL condition that is true where it is held; see `Rule.sql`."""
        return self._sql([(member, member.sql(column)) for member in self.members])

    def not_false_sql(self, column: ColumnSql) -> str:
        """Return the SQL condition that is true unless the group is false; see `Rule`."""
        return self._sql([(member, member.not_false_sql(column)) for member in self.members])

    def _sql(self, parts: list[tuple[Rule | Group, str]]) -> str:
        if not parts:
            return "true" if self.kind == "all" else "false"
        joined = [
            f"({sql})" if isinstance(m, Group) and len(m.members) > 1 else sql for m, sql in parts
        ]
        return (" or " if self.kind == "any" else " and ").join(joined)

    def words(self, lang: str) -> str:
        """The group as an officer reads it, in `lang`."""
        if text := self.note.words.get(lang):
            return text
        joint = {
            "zh-CN": {"all": "；且 ", "any": "；或 "},
            "en": {"all": "; and ", "any": "; or "},
        }[lang][self.kind]
        brackets = "（{}）" if lang == "zh-CN" else "({})"
        return joint.join(
            brackets.format(member.words(lang))
            if isinstance(member, Group)
            and len(member.members) > 1
            and not (member.note.words.get("zh-CN") or len(self.members) == 1)
            else member.words(lang)
            for member in self.members
        )

    def leaves(self) -> Iterator[Rule]:
        """Every rule below, in the order written."""
        for member in self.members:
            yield from member.leaves()


def missing_of(node: Rule | Group, env: Env) -> list[str]:
    """Return the missing facts that leave `node` undecided, in order; [] where it is decided."""
    if node.evaluate(env) is not None:
        return []
    if isinstance(node, Rule):
        return [node.fact.name]
    return list(dict.fromkeys(name for member in node.members for name in missing_of(member, env)))


def plain_text(value: Any) -> str:
    """A literal or a fact's value as text: 1000000, 30.5, true."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (float, Decimal)):
        return format(Decimal(str(value)).normalize(), "f")
    return str(value)


def _in_list_sql(name: str, codes: list[str], no: str = "") -> str:
    """One of the codes, or with `no` none of them; null where the column is."""
    quoted = [f"'{code}'" for code in codes]
    if not quoted:
        return "false"
    if len(quoted) == 1:
        return f"{name} {'<>' if no else '='} {quoted[0]}"
    if len(quoted) <= _LONGEST_IN_LIST:
        return f"{name} {no} in ({', '.join(quoted)})".replace("  ", " ")
    tests = f" {'and' if no else 'or'} ".join(
        f"{name} {'<>' if no else '='} {code}" for code in quoted
    )
    return f"({tests})"


def _sql_number(fact: Fact, literal: Any) -> str:
    return (
        f"cast({plain_text(literal)} as double)" if fact.type == "number" else plain_text(literal)
    )
